-- An app calls all of taskdb's typed functions. It cannot write columns that only triggers write:
-- history, counts, ranks, tokens, derived columns; nor the rules, the *_transitions.
\ir worker.sql
grant select on project_environments to :"role";
-- The default of tasks.graph_rank.
grant usage on sequence task_graph_rank to :"role";
-- For an export. A restore turns triggers off, which is the owner's right.
grant select on sequence task_graph_rank, task_number, technical_spec_number to :"role";
grant execute on function
    details_of,
    export_rows,
    exported_tables,
    fill_template,
    import_history,
    raise_refusal,
    require_version,
    set_concurrency_limit
to :"role";
grant
    insert (error_type, message, node, session_id, stack_trace),
    update (recovered, recovery_strategy, retry_count)
on agent_error_logs to :"role";
grant
    insert (agent_type, created_by, epic_id, feature_id, reason),
    update (reason),
    delete
on claim_pauses to :"role";
grant
    insert (decision_type, design_job_id, reasoning, value)
on design_decisions to :"role";
grant
    insert (project_id),
    update (completed_at, error_message, status),
    delete
on design_jobs to :"role";
grant
    insert (content, design_job_id, output_type),
    update (content)
on design_outputs to :"role";
grant
    insert (design_job_id, message, progress_percentage, stage)
on design_progress to :"role";
grant
    insert (
        business_value, created_at, created_by, description, file_path, key, metadata, priority,
        project_id, status, title
    ),
    update (
        business_value, description, file_path, metadata, priority, project_id, status, title,
        updated_at
    ),
    delete
on epics to :"role";
grant
    insert (
        condition, configuration, execution_id, key, max_attempts, needs, on_error, position,
        retry_delay, step_type, timeout, title
    ),
    update (attempt, deadline_at, ended_at, error_message, output, retry_at, started_at, status)
on execution_steps to :"role";
grant
    insert (
        check_interval, health, is_required, max_retries, metadata, resource, retry_delay,
        service, task_id, timeout, validation_rule, workflow_id
    ),
    update (
        check_interval, checked_at, error_message, failed_checks, health, is_required,
        max_retries, metadata, next_check_at, resource, response, retry_delay, service, timeout,
        updated_at, validation_rule
    ),
    delete
on external_dependencies to :"role";
grant
    insert (
        created_at, created_by, description, epic_id, execution_order, file_path, key, metadata,
        status, title
    ),
    update (
        description, execution_order, file_path, metadata, progress_completed_count,
        progress_counted_count, progress_pct, status, title, updated_at
    ),
    delete
on features to :"role";
grant
    insert (
        api_specification, architecture_diagram, database_schema, quality_score, session_id,
        tech_stack_document, trd_content, validation_report
    ),
    update (quality_score, validation_report)
on generated_trd_documents to :"role";
grant
    insert (
        assigned_files, branch_name, created_by, scope, scope_description, spec_id, task_id,
        worktree_path
    ),
    update (
        assigned_files, branch_name, commit_sha, created_by, merge_commit_sha, merged_at, scope,
        scope_description, worktree_path
    )
on implementation_tasks to :"role";
grant
    insert (content, source_kind, source_path, task_id),
    update (imported_at, content)
on imported_tasks to :"role";
grant
    insert (affected_files, impact_analysis, project_id, request, requested_by),
    update (modified_files, status, test_results)
on modifications to :"role";
grant
    insert (
        codebase, dependencies, deployment_config, name, owner_id, performance_score,
        security_score, status, test_coverage, type
    ),
    update (
        codebase, dependencies, deployment_config, last_deployed_at, name, owner_id,
        performance_score, security_score, status, test_coverage, type, updated_at
    ),
    delete
on project_contexts to :"role";
grant
    insert (project_id, variables),
    update (variables)
on project_environments to :"role";
grant
    insert (created_by, depends_on_id, spec_id),
    delete
on spec_dependencies to :"role";
grant
    insert (description, position, task_id, title),
    update (position, status),
    delete
on subtasks to :"role";
grant
    insert (created_at, created_by, dependency_type, depends_on_id, task_id),
    delete
on task_dependencies to :"role";
grant
    insert (
        actual_hours, agent_type, assigned_agent, complexity_score, context, created_at,
        created_by, description, estimated_hours, feature_id, file_path, labels, max_retry_delay,
        metadata, parent_id, priority, requirements, retry_delay, retry_factor, task_id, updated_at
    ),
    update (
        actual_hours, complexity_score, context, description, estimated_hours, feature_id,
        file_path, labels, max_retry_delay, metadata, parent_id, requirements, retry_delay,
        retry_factor, task_id
    )
on task_details to :"role";
grant
    insert (content, content_type, metadata, path, task_id),
    update (content, content_type, metadata),
    delete
on task_files to :"role";
grant
    insert (
        agent_type, assigned_agent, blocked_at, blocked_reason, claim_agent, completed_at,
        concurrency_key, created_at, details_follow, effective_priority, error_message, execution_order,
        has_dependents, id, key, max_attempts, open_dependencies, priority, scheduled_at, started_at,
        status, title, updated_at, workflow_execution_id, workflow_id
    ),
    update (
        agent_type, assigned_agent, blocked_reason, concurrency_key, error_message,
        execution_order, max_attempts, priority, scheduled_at, status, status_agent, status_at, status_ending,
        status_forced, status_note, status_outcome, status_source, title, updated_at,
        workflow_execution_id, workflow_id
    ),
    delete
on tasks to :"role";
grant
    insert (message, message_type, metadata, research_id, role, session_id)
on tech_conversations to :"role";
grant
    insert (gap_description, researched_options, session_id, technology_category),
    update (decided_at, researched_options, selected_technology, selection_reasoning)
on tech_research to :"role";
grant
    insert (current_stage, design_job_id, project_id, session_data, user_id, websocket_url),
    update (
        current_stage, failure_reason, progress_percentage, session_data, status, updated_at
    ),
    delete
on tech_spec_sessions to :"role";
grant
    insert (
        actual_hours, content, created_by, current_phase_status, estimated_hours, file_path,
        phase, roadmap_item_id, spec_number, spec_type, status, structure, title, updated_by
    ),
    update (
        actual_hours, content, current_phase_status, estimated_hours, phase, roadmap_item_id,
        spec_type, status, structure, title, updated_at, updated_by
    ),
    delete
on technical_specs to :"role";
grant
    insert (
        category, complexity, description, estimated_setup_time, files, name, optional_vars,
        required_vars, tags, tech_stack
    ),
    update (
        category, complexity, description, estimated_setup_time, files, name, optional_vars,
        required_vars, tags, tech_stack, updated_at
    ),
    delete
on templates to :"role";
grant
    insert (
        branch, commit_sha, configuration, context, pull_request_number, pull_request_state,
        trigger_type, triggered_by, workflow_id
    ),
    update (
        branch, commit_sha, completed_tasks, context, error_message, failed_tasks,
        pull_request_number, pull_request_state, resource_usage, status, total_tasks, updated_at
    )
on workflow_executions to :"role";
grant
    insert (needs_id, step_id, workflow_id),
    delete
on workflow_step_needs to :"role";
grant
    insert (
        condition, configuration, id, key, max_attempts, on_error, position, retry_delay,
        step_type, timeout, title, workflow_id
    ),
    update (
        condition, configuration, max_attempts, on_error, position, retry_delay, step_type,
        timeout, title, updated_at
    ),
    delete
on workflow_steps to :"role";
grant
    insert (
        configuration, created_by, description, github_repo_url, id, linear_issue_id, metadata,
        name, trigger_type
    ),
    update (
        configuration, description, github_repo_url, linear_issue_id, metadata, name, status,
        trigger_type, updated_at
    ),
    delete
on workflows to :"role";
