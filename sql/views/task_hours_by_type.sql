-- The hours that tasks of each agent type take: plan_schedule assumes them for tasks without an
-- estimate. Tasks without a type are a type of their own.
create view task_hours_by_type as
select
    task.agent_type,
    count(*) as finished_count,
    round(
        cast(percentile_cont(0.5) within group (order by spent.hours) as numeric), 2
    ) as median_hours
from full_tasks as task
cross join lateral (
    select
        coalesce(
            cast(task.actual_hours as double precision),
            cast(
                extract(epoch from task.completed_at - task.started_at) / 3600
                as double precision
            )
        ) as hours
) as spent
where
    task.status in ('completed', 'archived')
    and task.completed_at is not null
    and spent.hours >= 0
group by task.agent_type;

comment on view task_hours_by_type is
    'The hours that completed tasks of each agent type took: actual_hours, else from started_at '
    'to completed_at. Tasks with neither, or with a completion before the start, do not count.';
comment on column task_hours_by_type.agent_type is 'Null: the tasks without one.';
comment on column task_hours_by_type.median_hours is 'The middle one of their durations.';
