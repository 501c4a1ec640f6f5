-- The progress of each specification, and its hours, from its tasks. Cancelled ones don't count.
-- For one specification, only its own tasks are read.
create view spec_progress as
select
    spec.id as spec_id,
    spec.key,
    spec.title,
    spec.status,
    spec.total_phases,
    task_sums.task_count,
    task_sums.counted_count,
    task_sums.completed_count,
    task_sums.in_progress_count,
    task_sums.merged_count,
    coalesce(
        round(100.0 * task_sums.completed_count / nullif(task_sums.counted_count, 0), 2), 0
    ) as progress_pct,
    spec.estimated_hours,
    phase_sums.hours as phase_hours,
    task_sums.estimated_hours as task_estimated_hours,
    spec.actual_hours,
    task_sums.actual_hours as task_actual_hours
from technical_specs as spec
cross join lateral (
    select
        count(*) as task_count,
        count(*) filter (where task.status <> 'cancelled') as counted_count,
        count(*) filter (
            where task.status in ('completed', 'archived') and task.completed_at is not null
        ) as completed_count,
        count(*) filter (where task.status = 'in_progress') as in_progress_count,
        count(*) filter (where work.merged_at is not null) as merged_count,
        sum(task.estimated_hours) filter (where task.status <> 'cancelled') as estimated_hours,
        sum(task.actual_hours) filter (where task.status <> 'cancelled') as actual_hours
    from implementation_tasks as work
    inner join full_tasks as task on task.id = work.task_id
    where work.spec_id = spec.id
) as task_sums
cross join lateral (
    select sum(phase.hours) as hours
    from spec_phases as phase
    where phase.spec_id = spec.id
) as phase_sums;

comment on view spec_progress is
    'Progress and hours of specifications: 100 x completed / not cancelled; without tasks, 0.';
comment on column spec_progress.phase_hours is 'The sum of its phases'' hours.';
comment on column spec_progress.task_estimated_hours is 'The sum of its tasks'' estimates.';
comment on column spec_progress.task_actual_hours is 'The sum of its tasks'' actual hours.';
