-- Tasks that can be claimed now: the one definition, which task_blocking_reasons must agree with
-- (`taskdb doctor` compares them). Reservations (assigned_agent) and agent types are for the claim
-- to match.
--
-- The other branches are overdue: their schedule has passed, or the lease of their claim. Reading
-- changes nothing; the next claim makes time pass first (pass_time), and then takes them like any
-- other. Tasks that a lapse leaves blocked or failed are not among them.
create view ready_tasks as
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.place,
    task.created_at,
    task.agent_type,
    task.assigned_agent
from tasks as task
where
    task.is_ready
    and (
        not task.has_files
        or not exists (select from file_conflicts as clash where clash.task_id = task.id)
    )
    and (
        task.concurrency_key is null
        or not exists (
            select from concurrency_keys as used
            where used.key = task.concurrency_key and used.running >= used.at_most
        )
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.place,
    task.created_at,
    task.agent_type,
    task.assigned_agent
from tasks as task
where
    task.waits_for_slot
    and (
        not task.has_files
        or not exists (select from file_conflicts as clash where clash.task_id = task.id)
    )
    and (
        task.concurrency_key is null
        or not exists (
            select from concurrency_keys as used
            where used.key = task.concurrency_key and used.running >= used.at_most
        )
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.place,
    task.created_at,
    task.agent_type,
    task.assigned_agent
from tasks as task
where
    not task.is_due
    and task.scheduled_at <= now()
    and task.status = 'pending'
    and task.unhealthy_dependencies = 0
    and task.workflow_is_healthy
    and not task.is_paused
    and (
        not task.has_files
        or not exists (select from file_conflicts as clash where clash.task_id = task.id)
    )
    and (
        task.concurrency_key is null
        or not exists (
            select from concurrency_keys as used
            where used.key = task.concurrency_key and used.running >= used.at_most
        )
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.place,
    task.created_at,
    task.agent_type,
    task.assigned_agent
from tasks as task
where
    task.lease_expires_at <= now()
    and task.failed_attempts + 1 < task.max_attempts
    and task.open_dependencies = 0
    and task.unhealthy_dependencies = 0
    and task.workflow_is_healthy
    and not task.is_paused
    and (task.scheduled_at is null or task.scheduled_at <= now());

comment on view ready_tasks is
    'Tasks that can be claimed now: pending, due and healthy; or overdue, so that the next claim '
    'makes them so.';
