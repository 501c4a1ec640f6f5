-- Each task whole: its row of tasks and its row of task_details.
create view full_tasks as
select
    task.id,
    task.key,
    details.feature_id,
    task.workflow_id,
    task.workflow_execution_id,
    details.parent_id,
    task.title,
    details.description,
    task.status,
    task.priority,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    details.complexity_score,
    details.estimated_hours,
    details.actual_hours,
    task.execution_order,
    details.requirements,
    details.context,
    details.metadata,
    details.labels,
    details.file_path,
    task.blocked_reason,
    task.error_message,
    task.scheduled_at,
    task.max_attempts,
    task.failed_attempts,
    details.retry_delay,
    details.retry_factor,
    details.max_retry_delay,
    task.concurrency_key,
    task.open_dependencies,
    details.created_by,
    task.started_at,
    task.blocked_at,
    task.completed_at,
    task.created_at,
    greatest(task.updated_at, details.updated_at) as updated_at,
    task.version + details.version as version
from tasks as task
inner join task_details as details on details.task_id = task.id;

comment on view full_tasks is 'Tasks whole, as callers see them: tasks with task_details.';
comment on column full_tasks.version is 'Grows with every edit; a transition leaves it alone.';
