-- Planning: the critical path, parallel work, and the dependents that wait for a task.

-- name: schedule
-- The open tasks of an epic, a feature, a workflow or the whole plan, and their open blockers
-- outside, with their earliest and latest times and slack. With :critical only one longest chain of
-- them, in the order of work: it decides when all is done.
--
-- plan: tasks_by_status, task_details_by_feature, tasks_by_workflow, tasks_pkey
-- plan: tasks_pkey
with scope as (
    select array_agg(task.id) as task_ids
    from tasks as task
    where
        task.status in ('pending', 'blocked', 'in_progress', 'in_review')
        -- if :epic
        and task.id in (select place.task_id from task_places as place where place.epic = :epic)
        -- end if
        -- if :feature
        and task.id in (
            select place.task_id from task_places as place where place.feature = :feature
        )
        -- end if
        and task.workflow_id = :workflow_id                         -- if :workflow_id
        and task.id = any(:task_ids)                                -- if :task_ids
)

select
    task.id,
    task.key,
    task.title,
    task.status,
    task.agent_type,
    planned.in_scope as "in_scope!",  -- plan_schedule: no NULL
    planned.stuck as "stuck!",  -- plan_schedule: no NULL
    planned.hours as "hours!",  -- plan_schedule: no NULL
    planned.hours_from as "hours_from!",  -- plan_schedule: no NULL
    planned.wave as "wave!",  -- plan_schedule: no NULL
    planned.earliest_start_hours as "earliest_start_hours!",  -- plan_schedule: no NULL
    planned.earliest_finish_hours as "earliest_finish_hours!",  -- plan_schedule: no NULL
    planned.latest_start_hours as "latest_start_hours!",  -- plan_schedule: no NULL
    planned.latest_finish_hours as "latest_finish_hours!",  -- plan_schedule: no NULL
    planned.slack_hours as "slack_hours!",  -- plan_schedule: no NULL
    planned.path_step
from scope
cross join lateral plan_schedule(scope.task_ids) as planned
inner join tasks as task on task.id = planned.task_id
where planned.path_step is not null                                 -- if :critical
order by
    planned.path_step,                                              -- if :critical
    planned.earliest_start_hours,
    planned.slack_hours,
    task.graph_rank,
    task.id;

-- name: execution_waves
-- Tasks that can run in parallel: wave 1 waits for nothing, wave n for a task of wave n - 1. Stuck
-- tasks wait for one that failed or was abandoned; they are counted apart.
--
-- plan: tasks_by_status, task_details_by_feature, tasks_by_workflow, tasks_pkey
-- plan: tasks_pkey
with scope as (
    select array_agg(task.id) as task_ids
    from tasks as task
    where
        task.status in ('pending', 'blocked', 'in_progress', 'in_review')
        -- if :epic
        and task.id in (select place.task_id from task_places as place where place.epic = :epic)
        -- end if
        -- if :feature
        and task.id in (
            select place.task_id from task_places as place where place.feature = :feature
        )
        -- end if
        and task.workflow_id = :workflow_id                         -- if :workflow_id
        and task.id = any(:task_ids)                                -- if :task_ids
),

planned_task as (
    select
        planned.wave,
        planned.stuck,
        planned.hours,
        task.key,
        coalesce(task.agent_type, '') as agent_type
    from scope
    cross join lateral plan_schedule(scope.task_ids) as planned
    inner join tasks as task on task.id = planned.task_id
),

wave_of_type as (
    select
        planned_task.wave,
        planned_task.agent_type,
        count(*) filter (where not planned_task.stuck) as task_count,
        count(*) filter (where planned_task.stuck) as stuck_count,
        max(planned_task.hours) filter (where not planned_task.stuck) as longest_hours,
        sum(planned_task.hours) filter (where not planned_task.stuck) as total_hours
    from planned_task
    group by planned_task.wave, planned_task.agent_type
),

wave as (
    select
        wave_of_type.wave,
        sum(wave_of_type.task_count) as task_count,
        sum(wave_of_type.stuck_count) as stuck_count,
        max(wave_of_type.longest_hours) as longest_hours,
        sum(wave_of_type.total_hours) as total_hours,
        jsonb_object_agg(wave_of_type.agent_type, wave_of_type.task_count)
            filter (where wave_of_type.task_count > 0) as agent_types
    from wave_of_type
    group by wave_of_type.wave
),

keys_of_wave as (
    select
        planned_task.wave,
        array_agg(cast(planned_task.key as text) order by planned_task.key) as keys
    from planned_task
    where not planned_task.stuck
    group by planned_task.wave
)

select
    wave.wave as "wave!",  -- plan_schedule: no NULL
    cast(wave.task_count as bigint) as task_count,
    cast(wave.stuck_count as bigint) as stuck_count,
    coalesce(wave.longest_hours, 0) as longest_hours,
    coalesce(wave.total_hours, 0) as total_hours,
    coalesce(wave.agent_types, '{}') as agent_types,
    coalesce(keys_of_wave.keys, '{}') as keys
from wave
left join keys_of_wave on keys_of_wave.wave = wave.wave
order by wave.wave;

-- name: unblocks
-- The number of open tasks that wait for a task, directly or not.
--
-- plan: tasks_key_is_unique
select task_unblocks(task.id) as "unblocked_count!"  -- a count
from tasks as task
where task.key = :key;

-- name: unblocks_of
-- The same of several tasks, the one that most wait for first.
--
-- plan: tasks_key_is_unique
with asked as (
    select
        task.id,
        task_unblocks(task.id) as unblocked_count
    from tasks as task
    where task.key = any(:keys)
)

select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    asked.unblocked_count as "unblocked_count!"  -- a count
from asked
inner join tasks as task on task.id = asked.id
order by asked.unblocked_count desc, task.key;

-- name: ready_by_unblocks
-- The first tasks in the order of the claim, by the number of open tasks that wait for each. Each
-- branch names its index range, as in tasks.list_ready.
--
-- plan: tasks_open_in_order
-- plan: tasks_pkey
with found as (
    (
        select
            task.id,
            task.effective_priority,
            task.place,
            task.created_at
        from tasks as task
        where
            task.is_ready
            and task.status = 'pending'
            and (
                not task.has_files
                or not exists (  -- offset: asked of each task, never of all files at once
                    select from file_conflicts as clash where clash.task_id = task.id offset 0
                )
            )
        order by task.effective_priority, task.place, task.created_at, task.id
        limit (select cast(:limit as integer))
    )
    union all
    (
        select
            task.id,
            task.effective_priority,
            task.place,
            task.created_at
        from tasks as task
        cross join lateral (
            select from ready_tasks as ready where ready.id = task.id offset 0
        ) as ready
        where
            not task.is_due
            and task.scheduled_at <= now()
        order by task.effective_priority, task.place, task.created_at, task.id
        limit (select cast(:limit as integer))
    )
    union all
    (
        select
            task.id,
            task.effective_priority,
            task.place,
            task.created_at
        from tasks as task
        cross join lateral (
            select from ready_tasks as ready where ready.id = task.id offset 0
        ) as ready
        where
            task.lease_expires_at <= now()
        order by task.effective_priority, task.place, task.created_at, task.id
        limit (select cast(:limit as integer))
    )
),

ready as (
    select found.id
    from found
    order by found.effective_priority, found.place, found.created_at, found.id
    limit (select cast(:limit as integer))
),

counted as (
    select
        ready.id,
        task_unblocks(ready.id) as unblocked_count
    from ready
)

select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    counted.unblocked_count as "unblocked_count!"  -- a count
from counted
inner join tasks as task on task.id = counted.id
order by counted.unblocked_count desc, task.effective_priority, task.key;
