-- The progress of each epic: the mean of its features, and the figure weighted by tasks.
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
group by epic.id, epic.key;

comment on view epic_progress is 'Progress of epics: the mean of their features''.';
comment on column epic_progress.weighted_progress_pct is
    'The same over all tasks of the epic: 100 x completed / not cancelled.';
