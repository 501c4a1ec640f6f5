-- How far each specification is, and its hours, from its tasks. Cancelled ones don't count.
create view spec_progress as
with task_sums as (
    select
        work.spec_id,
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
    inner join tasks as task on task.id = work.task_id
    group by work.spec_id
),

phase_sums as (
    select
        phase.spec_id,
        sum(phase.hours) as hours
    from spec_phases as phase
    group by phase.spec_id
)

select
    spec.id as spec_id,
    spec.key,
    spec.title,
    spec.status,
    spec.total_phases,
    coalesce(task_sums.task_count, 0) as task_count,
    coalesce(task_sums.counted_count, 0) as counted_count,
    coalesce(task_sums.completed_count, 0) as completed_count,
    coalesce(task_sums.in_progress_count, 0) as in_progress_count,
    coalesce(task_sums.merged_count, 0) as merged_count,
    coalesce(
        round(100.0 * task_sums.completed_count / nullif(task_sums.counted_count, 0), 2), 0
    ) as progress_pct,
    spec.estimated_hours,
    phase_sums.hours as phase_hours,
    task_sums.estimated_hours as task_estimated_hours,
    spec.actual_hours,
    task_sums.actual_hours as task_actual_hours
from technical_specs as spec
left join task_sums on task_sums.spec_id = spec.id
left join phase_sums on phase_sums.spec_id = spec.id;

comment on view spec_progress is
    'Progress and hours of specifications: 100 x completed / not cancelled; without tasks, 0.';
comment on column spec_progress.phase_hours is 'The sum of its phases'' hours.';
comment on column spec_progress.task_estimated_hours is 'The sum of its tasks'' estimates.';
comment on column spec_progress.task_actual_hours is 'The sum of what its tasks took.';
