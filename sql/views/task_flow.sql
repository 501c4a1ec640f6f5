-- The moments at which each task was created, started and completed, from its history alone, but
-- for one thing: creation is tasks.created_at, which an importer knows from the other tracker,
-- whose history seldom begins there.
--
--   lead time    from when it came to when it was last completed
--   cycle time   from when it first went into progress to the same
--
-- Only a transition completes: a task that was made or imported as completed has neither. If times
-- run backwards, or a transition precedes its creation, it is skewed; figures over many tasks
-- leave its times out, and say how many these are.
create view task_flow as
select
    task.id as task_id,
    task.agent_type,
    flow.status,
    least(task.created_at, flow.first_at) as came_at,
    flow.started_at,
    case when flow.is_done then flow.done_at end as done_at,
    case when flow.is_done then flow.done_by end as done_by,
    case when flow.is_done then flow.done_at - least(task.created_at, flow.first_at) end
        as lead_time,
    case when flow.is_done then flow.done_at - flow.started_at end as cycle_time,
    flow.reopened_count,
    flow.skewed
    or (flow.changed_at is not null and flow.changed_at < task.created_at) as skewed
from tasks as task
cross join lateral (
    select
        min(stay.entered_at) as first_at,
        min(stay.entered_at) filter (where stay.is_transition) as changed_at,
        -- A task that an importer found in progress after its history ended is no second start.
        min(stay.entered_at) filter (
            where stay.status = 'in_progress' and (stay.is_transition or stay.position = 1)
        ) as started_at,
        max(stay.entered_at) filter (
            where stay.status = 'completed'
                and stay.is_transition
                and stay.previous_status is distinct from 'completed'
        ) as done_at,
        (array_agg(stay.agent order by stay.position desc) filter (
            where stay.status = 'completed'
                and stay.is_transition
                and stay.previous_status is distinct from 'completed'
        ))[1] as done_by,
        (array_agg(stay.status order by stay.position desc))[1] as status,
        (array_agg(stay.is_done order by stay.position desc))[1] as is_done,
        count(*) filter (
            where stay.is_transition
                and stay.previous_status in ('completed', 'failed', 'cancelled', 'archived')
                and stay.status in ('pending', 'blocked', 'in_progress', 'in_review')
        ) as reopened_count,
        bool_or(stay.skewed) as skewed
    from task_stays as stay
    where stay.task_id = task.id
) as flow;

comment on view task_flow is
    'The moments at which each task was created, started and completed: lead and cycle times, '
    'from its history.';
comment on column task_flow.came_at is 'tasks.created_at, or its first row if that is earlier.';
comment on column task_flow.started_at is 'The moment at which it first went into progress.';
comment on column task_flow.done_at is
    'The moment of its last completion; null if it is not completed, or was created so.';
comment on column task_flow.done_by is 'The agent that completed it.';
comment on column task_flow.lead_time is 'From came_at to done_at.';
comment on column task_flow.cycle_time is
    'From started_at to done_at; null if it was completed without being in progress.';
comment on column task_flow.reopened_count is
    'The number of transitions from a finished status back to an open one.';
comment on column task_flow.skewed is
    'Times of its history run backwards, or a transition precedes its creation.';
