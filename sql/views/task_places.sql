-- The place of each task: the keys of its feature and epic, for filters by them.
create view task_places as
select
    details.task_id,
    feature.key as feature,
    epic.key as epic
from task_details as details
inner join features as feature on feature.id = details.feature_id
inner join epics as epic on epic.id = feature.epic_id;

comment on view task_places is 'The feature and the epic of each task that has one, by key.';
