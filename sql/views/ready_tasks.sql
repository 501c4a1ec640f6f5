-- What may be claimed now: the one definition, which claim_next draws from and which
-- task_obstacles must agree with (an invariant of taskdb doctor). Reservations
-- (assigned_agent) and agent types are for the claim to match.
--
-- The branches are kept apart so that each has its index. They don't come in the order of the
-- claim: the planner merges no branches of a view. Who wants that order (claim_next,
-- list_ready) orders and limits branches of its own, and asks the view of each task.
--
-- A task whose files a task in progress holds is not among them; one under a lapsed lease
-- holds its own.
create view ready_tasks as
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.execution_order,
    task.created_at,
    task.agent_type,
    task.assigned_agent,
    task.feature_id,
    task.claim_token
from tasks as task
where
    task.status = 'pending'
    and task.scheduled_at is null
    and task.unhealthy_dependencies = 0
    and task.workflow_is_healthy
    and not exists (
        select from file_conflicts as clash
        where clash.task_id = task.id
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.execution_order,
    task.created_at,
    task.agent_type,
    task.assigned_agent,
    task.feature_id,
    task.claim_token
from tasks as task
where
    task.status = 'pending'
    and task.scheduled_at <= now()
    and task.unhealthy_dependencies = 0
    and task.workflow_is_healthy
    and not exists (
        select from file_conflicts as clash
        where clash.task_id = task.id
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.execution_order,
    task.created_at,
    task.agent_type,
    task.assigned_agent,
    task.feature_id,
    task.claim_token
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where
    claim.outcome is null
    and claim.lease_expires_at <= now()
    and task.status = 'in_progress'
    and task.failed_attempts + 1 < task.max_attempts;

comment on view ready_tasks is
    'Tasks that may be claimed now: pending, due, and all well with what they need outside; or '
    'in progress under a lapsed lease.';
