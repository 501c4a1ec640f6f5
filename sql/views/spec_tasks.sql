-- Implementation tasks whole: the part of the specification, the task, and its live claim.
create view spec_tasks as
select
    work.task_id,
    task.key,
    work.spec_id,
    spec.key as spec_key,
    task.title,
    task.status,
    task.effective_priority,
    task.execution_order,
    work.scope,
    work.scope_description,
    work.assigned_files,
    work.branch_name,
    work.worktree_path,
    task.claim_agent as claimed_by,
    case when task.claim_agent is not null then task.started_at end as claimed_at,
    task.started_at,
    task.completed_at,
    work.commit_sha,
    work.merged_at,
    work.merge_commit_sha,
    work.created_by,
    work.created_at
from implementation_tasks as work
inner join tasks as task on task.id = work.task_id
inner join technical_specs as spec on spec.id = work.spec_id;

comment on view spec_tasks is 'Implementation tasks, with their tasks and live claims.';
