-- 0004: what is ready, blocked, done.
-- Locks: none beyond new objects.
-- Check: select count(*) from pg_views where schemaname = current_schema();  -- expect 6
set local lock_timeout = '2s';

-- What may be claimed now: the one definition, which claim_next draws from and which
-- task_obstacles must agree with (an invariant of taskdb doctor). Reservations
-- (assigned_agent) and agent types are for the claim to match.
--
-- The branches are kept apart so that each has its index; the planner merges them in the
-- order of the claim.
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

-- What is held back, each task with the keys of its open gates.
create view blocked_tasks as
select
    task.id,
    task.key,
    task.title,
    task.effective_priority,
    task.blocked_reason,
    task.blocked_at,
    task.open_dependencies,
    array(
        select blocker.key
        from task_dependencies as edge
        inner join tasks as blocker on blocker.id = edge.depends_on_id
        where
            edge.task_id = task.id
            and not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
        order by blocker.key
    ) as open_gates
from tasks as task
where task.status = 'blocked';

comment on view blocked_tasks is 'Blocked tasks, each with the keys of the tasks it waits for.';
comment on column blocked_tasks.open_gates is 'The keys of its unsatisfied dependencies.';

-- Why a task can't be claimed now, a row for each reason; no row, exactly if ready_tasks
-- has it. A dead gate never opens by itself: its blocker failed, or was given up under
-- requires.
create view task_obstacles as
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

-- Tasks that went on although something they wait for is open again, or was added later.
create view ran_early as
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.open_dependencies
from tasks as task
where task.open_dependencies > 0 and task.status not in ('pending', 'blocked');

comment on view ran_early is
    'Tasks in progress, in review or finished while a dependency of theirs is open.';

-- How far each feature is, exactly.
create view feature_progress as
select
    feature.id as feature_id,
    feature.epic_id,
    feature.key,
    count(task.id) as task_count,
    count(task.id) filter (where task.status <> 'cancelled') as counted_count,
    count(task.id) filter (
        where task.status in ('completed', 'archived') and task.completed_at is not null
    ) as completed_count,
    coalesce(
        round(
            100.0
            * count(task.id) filter (
                where task.status in ('completed', 'archived') and task.completed_at is not null
            )
            / nullif(count(task.id) filter (where task.status <> 'cancelled'), 0),
            2
        ),
        0
    ) as progress_pct
from features as feature
left join tasks as task on task.feature_id = feature.id
group by feature.id;

comment on view feature_progress is
    'Progress of features: 100 x completed / not cancelled; without such tasks, 0.';
comment on column feature_progress.counted_count is 'Its tasks that are not cancelled.';
comment on column feature_progress.completed_count is
    'Its tasks that are completed, or archived after completion.';

-- How far each epic is: the mean of its features, and beside it the figure weighted by tasks.
create view epic_progress as
select
    epic.id as epic_id,
    epic.key,
    count(feature.feature_id) as feature_count,
    coalesce(sum(feature.task_count), 0)::bigint as task_count,
    coalesce(sum(feature.completed_count), 0)::bigint as completed_count,
    coalesce(round(avg(feature.progress_pct), 2), 0) as progress_pct,
    coalesce(
        round(100.0 * sum(feature.completed_count) / nullif(sum(feature.counted_count), 0), 2), 0
    ) as weighted_progress_pct
from epics as epic
left join feature_progress as feature on feature.epic_id = epic.id
group by epic.id;

comment on view epic_progress is 'Progress of epics: the mean of their features''.';
comment on column epic_progress.weighted_progress_pct is
    'The same over all tasks of the epic: 100 x completed / not cancelled.';
