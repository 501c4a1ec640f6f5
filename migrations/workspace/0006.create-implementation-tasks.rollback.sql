-- 0006 back: implementation tasks, and the files that those in progress hold.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop view spec_tasks;
drop view spec_progress;

-- What may be claimed now: the one definition, which claim_next draws from and which
-- task_obstacles must agree with (an invariant of taskdb doctor). Reservations
-- (assigned_agent) and agent types are for the claim to match.
--
-- The branches are kept apart so that each has its index; the planner merges them in the
-- order of the claim.
create or replace view ready_tasks as
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
where task.status = 'pending' and task.scheduled_at is null
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
where task.status = 'pending' and task.scheduled_at <= now()
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
    'Tasks that may be claimed now: pending and due, or in progress under a lapsed lease.';

-- Why a task can't be claimed now, a row for each reason; no row, exactly if ready_tasks
-- has it. A dead gate never opens by itself: its blocker failed, or was given up under
-- requires.
create or replace view task_obstacles as
select
    task.id as task_id,
    'finished' as reason,
    null::uuid as blocker_id,
    null::text collate "C" as blocker_key,
    false as dead,
    'it is ' || task.status::text as detail
from tasks as task
where task.status in ('completed', 'failed', 'cancelled', 'archived')
union all
select
    task.id,
    'in_review',
    null,
    null,
    false,
    'its work is under review'
from tasks as task
where task.status = 'in_review'
union all
select
    task.id,
    case when claim.id is null then 'started_by_hand' else 'claimed' end,
    null,
    null,
    false,
    case
        when claim.id is null then 'it was started without a claim'
        else 'claimed by ' || claim.agent || ' until ' || claim.lease_expires_at::text
    end
from tasks as task
left join task_claims as claim on claim.task_id = task.id and claim.outcome is null
where
    task.status = 'in_progress'
    and (claim.id is null or claim.lease_expires_at > now())
union all
select
    task.id,
    'attempts_exhausted',
    null,
    null,
    true,
    task.failed_attempts + 1 || ' attempts of ' || task.max_attempts || ' failed or lapsed'
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where
    claim.outcome is null
    and claim.lease_expires_at <= now()
    and task.status = 'in_progress'
    and task.failed_attempts + 1 >= task.max_attempts
union all
select
    task.id,
    'held',
    null,
    null,
    false,
    task.blocked_reason
from tasks as task
where task.blocked_reason is not null
union all
select
    task.id,
    'dependency',
    blocker.id,
    blocker.key,
    blocker.status = 'failed'
    or (edge.dependency_type = 'requires' and blocker.status in ('cancelled', 'archived')),
    edge.dependency_type::text || ' ' || blocker.key || ', which is ' || blocker.status::text
from tasks as task
inner join task_dependencies as edge on edge.task_id = task.id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where
    task.status in ('pending', 'blocked')
    and not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
union all
select
    task.id,
    'scheduled',
    null,
    null,
    false,
    'not before ' || task.scheduled_at::text
from tasks as task
where task.status in ('pending', 'blocked') and task.scheduled_at > now();

comment on view task_obstacles is 'Why a task cannot be claimed now, a row for each reason.';
comment on column task_obstacles.reason is
    'finished, in_review, claimed, started_by_hand, attempts_exhausted, held, dependency, '
    'scheduled.';
comment on column task_obstacles.dead is 'It will not go away by itself.';

drop view file_conflicts;
drop trigger tasks_10_hold_files on tasks;
drop table held_files;
drop table implementation_tasks;
drop function hold_changed_files();
drop function hold_files();
drop function delete_task_of();
drop function fill_in_spec_type();
drop function raise_held_file(uuid);
drop function take_files(uuid);
