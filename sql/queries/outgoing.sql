-- The plan for files of other kinds: docs/exchange.md.

-- name: list_plan
-- Every task with the keys of its blockers, the oldest first.
--
-- plan: allow full-scan: an export is of every task
select
    task.key,
    task.title,
    details.description,
    task.status,
    task.priority,
    task.agent_type,
    task.blocked_reason,
    task.claim_agent,
    task.assigned_agent,
    parent.key as parent,
    details.labels,
    details.created_by,
    task.created_at,
    task.updated_at,
    task.started_at,
    task.completed_at,
    task.scheduled_at,
    details.estimated_hours,
    details.requirements,
    details.metadata,
    -- Its file's last record of it: the status with its reason, and the schedule.
    imported.content -> 'status' as imported_status,
    imported.content ->> 'scheduled_at' as imported_scheduled_at,
    details.context is not null as has_context,
    details.feature_id is not null as has_feature,
    task.concurrency_key is not null as has_concurrency_key,
    coalesce(details.retry_delay, details.max_retry_delay) is not null
    or details.retry_factor is not null as has_back_off,
    task.max_attempts <> 10 as has_max_attempts,
    task.execution_order is not null as has_order,
    details.complexity_score is not null as has_complexity,
    details.actual_hours is not null as has_actual_hours,
    details.file_path is not null as has_file_path,
    task.workflow_id is not null as has_workflow,
    array(
        select row(blocker.key::text, edge.dependency_type, edge.created_by, edge.created_at)
        from task_dependencies as edge
        inner join tasks as blocker on blocker.id = edge.depends_on_id
        where edge.task_id = task.id
        order by blocker.key
    ) as edges
from tasks as task
inner join task_details as details on details.task_id = task.id
left join tasks as parent on parent.id = details.parent_id
left join imported_tasks as imported on imported.task_id = task.id
order by task.created_at, task.key;

-- name: count_beside
-- The number of rows that only the whole workspace's file has.
--
-- plan: allow full-scan: it counts all of them
select
    (select count(*) from task_history) as history,
    (select count(*) from subtasks) as checklist,
    (select count(*) from task_files) as files,
    (select count(*) from technical_specs) as specifications,
    (select count(*) from external_dependencies where task_id is not null) as external_dependencies;
