-- The exact progress of each feature.
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
left join task_details as details on details.feature_id = feature.id
left join tasks as task on task.id = details.task_id
group by feature.id, feature.epic_id, feature.key;

comment on view feature_progress is
    'Progress of features: 100 x completed / not cancelled; without such tasks, 0.';
comment on column feature_progress.counted_count is 'Its tasks that are not cancelled.';
comment on column feature_progress.completed_count is
    'Its tasks that are completed, or archived after completion.';
