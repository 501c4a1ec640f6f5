-- Briefs: the context of a task for the agent that begins it, or continues another's work.

-- name: get
-- A task with the context for its next worker, in one row: its feature and epic, the phase of its
-- specification, its blockers, the latest attempts and notes. Lists are arrays of JSON.
--
-- plan: tasks_key_is_unique
-- plan: task_details_pkey
-- plan: task_history_seq_once_per_task
select
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    task.claim_agent,
    nullif(task.claim_token, 0) as claim_token,
    task.lease_expires_at,
    task.progress_pct,
    task.progress_note,
    task.blocked_reason,
    task.error_message,
    task.failed_attempts,
    task.max_attempts,
    details.description,
    details.requirements,
    details.context,
    details.labels,
    details.file_path,
    parent.key as parent_key,
    parent.title as parent_title,
    feature.key as feature_key,
    feature.title as feature_title,
    spec.key as spec_key,
    spec.title as spec_title,
    work.scope,
    work.scope_description,
    work.branch_name,
    work.worktree_path,
    coalesce(work.assigned_files, '{}') as assigned_files,
    phase.number as phase_number,
    phase.description as phase_description,
    coalesce(phase.content, spec.content) as spec_text,
    array(
        select
            jsonb_build_object(
                'key', blocker.key,
                'title', blocker.title,
                'status', blocker.status,
                'type', edge.dependency_type,
                'open', not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
            )
        from task_dependencies as edge
        inner join tasks as blocker on blocker.id = edge.depends_on_id
        where edge.task_id = task.id
        order by
            is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at),
            blocker.key
        limit 50
    ) as blockers,
    array(
        select
            jsonb_build_object(
                'token', attempt.token,
                'agent', attempt.agent,
                'outcome', attempt.outcome,
                'ended_at', attempt.ended_at,
                'note', attempt.note,
                'progress_pct', attempt.progress_pct,
                'progress_note', attempt.progress_note
            )
        from task_claims as attempt
        where attempt.task_id = task.id and attempt.outcome is not null
        order by attempt.token desc
        limit 20
    ) as attempts,
    array(
        select
            jsonb_build_object(
                'agent', entry.agent,
                'status', entry.new_status,
                'note', entry.note,
                'at', entry.created_at
            )
        from task_history as entry
        where entry.task_id = task.id and entry.note is not null and entry.outcome is null
        order by entry.seq desc
        limit 20
    ) as notes,
    array(
        select jsonb_build_object('title', line.title, 'status', line.status)
        from subtasks as line
        where line.task_id = task.id
        order by line.position, line.created_at, line.id
        limit 100
    ) as checklist,
    array(
        select file.path
        from task_files as file
        where file.task_id = task.id
        order by file.path
        limit 100
    ) as files
from tasks as task
inner join task_details as details on details.task_id = task.id
left join tasks as parent on parent.id = details.parent_id
left join features as feature on feature.id = details.feature_id
left join implementation_tasks as work on work.task_id = task.id
left join technical_specs as spec on spec.id = work.spec_id
left join lateral jsonb_to_record(
    jsonb_path_query_first(
        spec.structure,
        '$.phases[*] ? (@.name == $name)',
        jsonb_build_object('name', work.phase)
    )
) as phase (number integer, description text, content text) on true
where task.key = :key;
