-- Queries of the demo: the agents at work, the work left, and at the end the rules. The checks read
-- history and claims, as triggers and claims wrote them, never the agents' own reports. Each
-- returns what breaks its rule: no row means that it holds.

-- name: reserve_demo
-- Reserves the server's demo for this session, until it ends.
select pg_try_advisory_lock(hashtextextended('taskdb demo', 0)) as reserved;

-- name: work_is_left
-- True if a task can be claimed now, or might be soon: a live claim may yet lapse, or satisfy a
-- dependency. Nothing else in this workspace changes by itself.
--
-- plan: allow full-scan: it stops at the first ready task of the demo's own small plan
select
    exists (
        select from ready_tasks as task
        where task.assigned_agent is null or task.assigned_agent = any(:agents)
    )
    or exists (
        select from tasks as task
        where task.lease_expires_at > now()
    ) as is_left;

-- name: agents_at_work
-- The completed tasks and the current task of each agent, in the order of their names.
--
-- plan: allow full-scan: it counts what each of the demo's agents has completed
-- plan: tasks_by_lease
select
    agent.name,
    (
        select count(*)
        from task_history as done
        where done.agent = agent.name and done.outcome = 'completed'
    ) as completed_count,
    task.key,
    task.title
from unnest(:agents::text[]) as agent (name)
left join tasks as task
    on task.claim_agent = agent.name and task.lease_expires_at is not null
order by agent.name;

-- name: claim_in_hand
-- The key of the task whose claim the agent holds, if its session is idle: between two statements,
-- in the middle of its work.
--
-- plan: tasks_by_lease
select task.key
from tasks as task
where
    task.claim_agent = :agent
    and task.lease_expires_at > now()
    and not exists (
        select from pg_stat_activity as session
        where session.application_name = :application_name and session.state <> 'idle'
    )
limit 1;

-- name: takeovers
-- Claims that lapsed, each with the next claim of its task.
--
-- plan: allow full-scan: the demo asks once, at its end, of its own small plan
select
    task.key,
    lapsed.agent as lost_by,
    next_claim.agent as taken_by,
    next_claim.claimed_at - lapsed.claimed_at as after,
    next_claim.outcome
from task_claims as lapsed
inner join tasks as task on task.id = lapsed.task_id
inner join task_claims as next_claim
    on next_claim.task_id = lapsed.task_id and next_claim.token = lapsed.token + 1
where lapsed.outcome = 'lapsed'
order by next_claim.claimed_at;

-- name: count_work
-- The number of claims of the agents, of tasks that they completed, and of the dependencies of
-- these.
--
-- plan: allow full-scan: the demo asks once, at its end, of its own small plan
-- plan: task_dependencies_pkey
select
    count(*) as claim_count,
    count(*) filter (where claim.outcome = 'completed') as completed_count,
    coalesce(
        sum(
            (select count(*) from task_dependencies as edge where edge.task_id = claim.task_id)
        ) filter (where claim.outcome = 'completed'),
        0
    )::bigint as dependency_count
from task_claims as claim
where claim.agent = any(:agents);

-- name: started_too_early
-- Tasks that were started with an open dependency: at that moment the blocker's newest history row
-- was not one that satisfies the edge.
--
-- plan: allow full-scan: the demo asks once, at its end, of its own small plan
select
    task.key,
    edge.dependency_type::text || ' ' || blocker.key || ', which was '
    || coalesce(before.new_status::text, 'not there') as violation
from task_history as start
inner join tasks as task on task.id = start.task_id
inner join task_dependencies as edge on edge.task_id = start.task_id
inner join tasks as blocker on blocker.id = edge.depends_on_id
left join lateral (
    select past.new_status
    from task_history as past
    where
        past.task_id = edge.depends_on_id
        and past.seq > 0
        and past.created_at < start.created_at
    order by past.seq desc
    limit 1
) as before on true
where
    start.seq > 0
    and start.old_status <> 'in_progress'
    and start.new_status = 'in_progress'
    and is_satisfied(edge.dependency_type, before.new_status, blocker.completed_at) is not true
order by task.key, blocker.key;

-- name: not_completed_once
-- Tasks that the agents did not report as completed exactly once, or that history and claims count
-- differently.
--
-- plan: allow full-scan: the demo asks once, at its end, of its own small plan
with work as (
    select
        claim.task_id,
        count(*) filter (where claim.outcome = 'completed') as by_claims
    from task_claims as claim
    group by claim.task_id
),

recorded as (
    select
        past.task_id,
        count(*) as by_history
    from task_history as past
    where past.seq > 0 and past.old_status is not null and past.new_status = 'completed'
    group by past.task_id
)

select
    task.key,
    'completed ' || coalesce(work.by_claims, 0) || ' times by claims, '
    || coalesce(recorded.by_history, 0) || ' times in history' as violation
from tasks as task
left join work on work.task_id = task.id
left join recorded on recorded.task_id = task.id
where
    coalesce(work.by_claims, 0) <> coalesce(recorded.by_history, 0)
    or coalesce(work.by_claims, 0) > 1
order by task.key;

-- name: completed_by_another
-- Completions by anybody but the holder of the newest claim.
--
-- plan: allow full-scan: the demo asks once, at its end, of its own small plan
select
    task.key,
    'completed by ' || past.agent || ', while ' || coalesce(holder.agent, 'nobody')
    || ' held the newest claim' as violation
from task_history as past
inner join tasks as task on task.id = past.task_id
left join task_claims as holder
    on holder.task_id = task.id and holder.token = task.claim_token
where
    past.seq > 0
    and past.old_status is not null
    and past.new_status = 'completed'
    and (holder.agent = past.agent and holder.outcome = 'completed') is not true
order by task.key;

-- name: claimed_by_two
-- Tasks of which two claims were live at a time.
--
-- plan: allow full-scan: the demo asks once, at its end, of its own small plan
select
    task.key,
    'claimed by ' || later.agent || ' while ' || earlier.agent || ' held it' as violation
from task_claims as earlier
inner join task_claims as later
    on later.task_id = earlier.task_id and later.token > earlier.token
inner join tasks as task on task.id = earlier.task_id
where earlier.ended_at is null or later.claimed_at < earlier.ended_at
order by task.key;

-- name: left_open
-- The tasks that stay open, each with the reasons why it can't be claimed.
--
-- plan: allow full-scan: the demo asks once, at its end, of its own small plan
select
    task.key,
    task.title,
    task.status,
    task.assigned_agent,
    array(
        select blocked_by.reason
        from task_blocking_reasons as blocked_by
        where blocked_by.task_id = task.id
        order by blocked_by.reason, blocked_by.detail
    ) as reasons,
    array(
        select blocked_by.detail
        from task_blocking_reasons as blocked_by
        where blocked_by.task_id = task.id
        order by blocked_by.reason, blocked_by.detail
    ) as details
from tasks as task
where task.status not in ('completed', 'cancelled', 'archived')
order by task.status, task.key;
