-- Flow: how long work takes and where it waits, from history.

-- name: of_task
-- The moments at which a task was created, started and completed.
--
-- plan: tasks_key_is_unique, task_history_seq_once_per_task
select
    task.id,
    task.key,
    flow.status as "status!",  -- every task has a row of history
    flow.came_at,
    flow.started_at,
    flow.done_at,
    flow.done_by,
    flow.lead_time,
    flow.cycle_time,
    flow.reopened_count,
    flow.skewed as "skewed!"  -- every task has a row of history
from tasks as task
inner join task_flow as flow on flow.task_id = task.id
where task.key = :key
limit 1;

-- name: stays_of_task
-- The stays of a task in its statuses, in order; the last one lasts.
--
-- plan: tasks_key_is_unique, task_history_seq_once_per_task
select
    stay.position,
    stay.status,
    stay.agent,
    stay.entered_at,
    stay.left_at,
    greatest(coalesce(stay.left_at, now()) - stay.entered_at, interval '0') as stayed,
    stay.is_transition,
    stay.skewed
from tasks as task
inner join task_stays as stay on stay.task_id = task.id
where task.key = :key
order by stay.position;

-- name: summary
-- Lead and cycle times of the tasks that were completed since a moment, or ever.
--
-- plan: allow full-scan: a figure over a long time is of all that was completed in it
with completed as (
    select distinct entry.task_id
    from task_history as entry
    where
        entry.new_status = 'completed'
        and entry.old_status is not null
        and entry.created_at >= :since                              -- if :since
)

select
    count(*) as done_count,
    count(*) filter (where flow.skewed) as skewed_count,
    count(*) filter (where flow.reopened_count > 0) as reopened_count,
    percentile_cont(0.5) within group (order by flow.lead_time)
        filter (where not flow.skewed) as lead_time_median,
    percentile_cont(0.85) within group (order by flow.lead_time)
        filter (where not flow.skewed) as lead_time_p85,
    percentile_cont(0.5) within group (order by flow.cycle_time)
        filter (where not flow.skewed) as cycle_time_median,
    percentile_cont(0.85) within group (order by flow.cycle_time)
        filter (where not flow.skewed) as cycle_time_p85
from completed
inner join task_flow as flow on flow.task_id = completed.task_id
where
    flow.done_at is not null
    and flow.done_by = :agent                                       -- if :agent
    and flow.agent_type = :agent_type;                              -- if :agent_type

-- name: by_agent
-- The same by completing agent, the one with most first.
--
-- plan: allow full-scan: a figure over a long time is of all that was completed in it
with completed as (
    select distinct entry.task_id
    from task_history as entry
    where
        entry.new_status = 'completed'
        and entry.old_status is not null
        and entry.created_at >= :since                              -- if :since
)

select
    flow.done_by as name,
    count(*) as done_count,
    count(*) filter (where flow.skewed) as skewed_count,
    count(*) filter (where flow.reopened_count > 0) as reopened_count,
    percentile_cont(0.5) within group (order by flow.lead_time)
        filter (where not flow.skewed) as lead_time_median,
    percentile_cont(0.85) within group (order by flow.lead_time)
        filter (where not flow.skewed) as lead_time_p85,
    percentile_cont(0.5) within group (order by flow.cycle_time)
        filter (where not flow.skewed) as cycle_time_median,
    percentile_cont(0.85) within group (order by flow.cycle_time)
        filter (where not flow.skewed) as cycle_time_p85
from completed
inner join task_flow as flow on flow.task_id = completed.task_id
where flow.done_at is not null
group by flow.done_by
order by done_count desc, name;

-- name: by_agent_type
-- The same by agent type, the one with most first.
--
-- plan: allow full-scan: a figure over a long time is of all that was completed in it
with completed as (
    select distinct entry.task_id
    from task_history as entry
    where
        entry.new_status = 'completed'
        and entry.old_status is not null
        and entry.created_at >= :since                              -- if :since
)

select
    flow.agent_type as name,
    count(*) as done_count,
    count(*) filter (where flow.skewed) as skewed_count,
    count(*) filter (where flow.reopened_count > 0) as reopened_count,
    percentile_cont(0.5) within group (order by flow.lead_time)
        filter (where not flow.skewed) as lead_time_median,
    percentile_cont(0.85) within group (order by flow.lead_time)
        filter (where not flow.skewed) as lead_time_p85,
    percentile_cont(0.5) within group (order by flow.cycle_time)
        filter (where not flow.skewed) as cycle_time_median,
    percentile_cont(0.85) within group (order by flow.cycle_time)
        filter (where not flow.skewed) as cycle_time_p85
from completed
inner join task_flow as flow on flow.task_id = completed.task_id
where flow.done_at is not null
group by flow.agent_type
order by done_count desc, name;

-- name: time_in_status
-- The time that tasks completed since a moment, or ever, stood in each status until then.
--
-- plan: allow full-scan: a figure over a long time is of all that was completed in it
with completed as (
    select distinct entry.task_id
    from task_history as entry
    where
        entry.new_status = 'completed'
        and entry.old_status is not null
        and entry.created_at >= :since                              -- if :since
),

stood as (
    select
        flow.task_id,
        stay.status,
        sum(stay.left_at - stay.entered_at) as stayed
    from completed
    inner join task_flow as flow on flow.task_id = completed.task_id
    inner join task_stays as stay on stay.task_id = completed.task_id
    where
        flow.done_at is not null
        and not flow.skewed
        and stay.left_at <= flow.done_at
        and flow.agent_type = :agent_type                           -- if :agent_type
    group by flow.task_id, stay.status
)

select
    stood.status,
    count(*) as task_count,
    sum(stood.stayed) as total,
    percentile_cont(0.5) within group (order by stood.stayed) as median
from stood
group by stood.status
order by stood.status;

-- name: throughput
-- The numbers of tasks completed, and reopened, day by day.
--
-- plan: task_history_by_time
with calendar as (
    select
        cast(each_day as date) as day,
        each_day at time zone cast(:zone as text) as starts_at,
        (each_day + interval '1 day') at time zone cast(:zone as text) as ends_at
    from generate_series(
        date_trunc('day', cast(:since as timestamptz) at time zone cast(:zone as text)),
        (cast(:until as timestamptz) - interval '1 microsecond')
        at time zone cast(:zone as text),
        interval '1 day'
    ) as each_day
)

select
    calendar.day,
    counted.completed_count,
    counted.reopened_count
from calendar
-- The days one by one: each is a range of the index, and nothing needs grouping.
cross join lateral (
    select
        count(*) filter (
            where entry.new_status = 'completed' and entry.old_status <> 'completed'
        ) as completed_count,
        count(*) filter (
            where
            entry.old_status in ('completed', 'failed', 'cancelled', 'archived')
            and entry.new_status in ('pending', 'blocked', 'in_progress', 'in_review')
        ) as reopened_count
    from task_history as entry
    inner join tasks as task on task.id = entry.task_id             -- if :agent_type
    where
        entry.created_at >= :since
        and entry.created_at < :until
        -- A clock set back over midnight begins a day again, by three hours at most.
        and entry.created_at >= calendar.starts_at - interval '3 hours'
        and entry.created_at < calendar.ends_at
        and cast(entry.created_at at time zone cast(:zone as text) as date) = calendar.day
        and entry.agent = :agent                                    -- if :agent
        and task.agent_type = :agent_type                           -- if :agent_type
) as counted
order by calendar.day;

-- name: ageing
-- Work in progress or in review, the oldest first, and the share of completed tasks whose cycle
-- time was no longer than the time it has lasted.
--
-- plan: allow full-scan: a figure over a long time is of all that was completed in it
with completed as (
    select distinct entry.task_id
    from task_history as entry
    where
        entry.new_status = 'completed'
        and entry.old_status is not null
        and entry.created_at >= :since                              -- if :since
),

finished as (
    select array_agg(flow.cycle_time order by flow.cycle_time) as cycle_times
    from completed
    inner join task_flow as flow on flow.task_id = completed.task_id
    where flow.cycle_time is not null and not flow.skewed
),

going as (
    select
        task.id,
        greatest(now() - coalesce(flow.started_at, stay.entered_at), interval '0') as age,
        coalesce(flow.started_at, stay.entered_at) as started_at,
        stay.entered_at as changed_at,
        stay.agent
    from tasks as task
    inner join task_flow as flow on flow.task_id = task.id
    cross join lateral (
        -- The last transition: an importer's first status is none.
        select
            stay.entered_at,
            stay.agent
        from task_stays as stay
        where stay.task_id = task.id and (stay.is_transition or stay.position = 1)
        order by stay.position desc
        limit 1
    ) as stay
    where
        task.status in ('in_progress', 'in_review')
        and task.agent_type = :agent_type                           -- if :agent_type
    order by age desc, task.id
    limit :limit
)

select
    task.id,
    task.key,
    task.title,
    task.status,
    task.agent_type,
    going.agent,
    going.started_at,
    going.changed_at,
    going.age,
    cast(
        100.0 * width_bucket(going.age, finished.cycle_times)
        / nullif(cardinality(finished.cycle_times), 0)
        as double precision
    ) as percentile
from going
inner join tasks as task on task.id = going.id
cross join finished
order by going.age desc, task.id;

-- name: reopenings
-- Transitions from a finished status back to an open one, the newest first.
--
-- plan: task_history_by_time
select
    task.id,
    task.key,
    task.title,
    entry.old_status,
    entry.new_status,
    entry.agent,
    entry.note,
    entry.created_at
from task_history as entry
inner join tasks as task on task.id = entry.task_id
where
    entry.old_status in ('completed', 'failed', 'cancelled', 'archived')
    and entry.new_status in ('pending', 'blocked', 'in_progress', 'in_review')
    and entry.created_at >= :since
order by entry.created_at desc, entry.task_id desc, entry.seq desc
limit :limit;

-- name: burn_up
-- The tasks of an epic, or of a set, at the end of each day, and the completed ones among them.
-- Cancelled ones are not counted while they are cancelled; history does not have a task's former
-- epic: its current tasks count, from their creation on.
--
-- plan: allow full-scan without :epic: the tasks of a report may be all
with member as (
    select details.task_id as id
    from task_details as details
    where
        true
        and details.feature_id in (                                 -- if :epic
            select feature.id                                       -- if :epic
            from epics as epic                                      -- if :epic
            inner join features as feature on feature.epic_id = epic.id  -- if :epic
            where epic.key = :epic                                  -- if :epic
        )                                                           -- if :epic
        and details.task_id = any(:task_ids)                        -- if :task_ids
),

change as (
    select
        cast(flow.came_at at time zone cast(:zone as text) as date) as day,
        1 as scope,
        0 as done
    from member
    cross join lateral (
        select task.came_at from task_flow as task where task.task_id = member.id offset 0
    ) as flow
    union all
    select
        cast(stay.entered_at at time zone cast(:zone as text) as date),
        cast(stay.status <> 'cancelled' as int)
        - cast(stay.previous_status is distinct from 'cancelled' as int),
        cast(stay.is_done as int)
        - coalesce(
            lag(cast(stay.is_done as int))
                over (partition by stay.task_id order by stay.position),
            0
        )
    from member
    cross join lateral (
        select
            stay.task_id,
            stay.position,
            stay.status,
            stay.previous_status,
            stay.is_done,
            stay.entered_at
        from task_stays as stay
        where stay.task_id = member.id
        offset 0
    ) as stay
),

changed as (
    select
        change.day,
        sum(change.scope) as scope,
        sum(change.done) as done
    from change
    group by change.day
),

calendar as (
    select cast(each_day as date) as day
    from (select min(changed.day) as first_day from changed) as beginning
    cross join generate_series(
        beginning.first_day,
        greatest(
            cast(now() at time zone cast(:zone as text) as date),
            (select max(changed.day) from changed)
        ),
        interval '1 day'
    ) as each_day
)

select
    calendar.day,
    cast(coalesce(sum(changed.scope) over (order by calendar.day), 0) as bigint)
        as task_count,
    cast(coalesce(sum(changed.done) over (order by calendar.day), 0) as bigint)
        as done_count
from calendar
left join changed on changed.day = calendar.day
order by calendar.day;
