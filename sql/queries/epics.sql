-- Epics.

-- name: create
insert into epics (
    key,
    title,
    description,
    status,
    priority,
    business_value,
    file_path,
    metadata,
    created_by,
    project_id
)
values (
    :key,
    :title,
    :description,
    :status,
    :priority,
    :business_value,
    :file_path,
    :metadata,
    :created_by,
    :project_id
)
returning epics.*;

-- name: get
select epic.*
from epics as epic
where epic.id = :id;

-- name: get_by_key
select epic.*
from epics as epic
where epic.key = :key;

-- name: list_epics
-- Epics in the order of their keys; a page begins after the last key of the one before.
select epic.*
from epics as epic
where true
    and epic.status = :status                                       -- if :status
    and epic.priority = :priority                                   -- if :priority
    and epic.project_id = :project_id                               -- if :project_id
    and epic.key > :after_key                                       -- if :after_key
order by epic.key
limit :limit;

-- name: update
-- Changes what is given, and nothing else.
update epics as epic
set
    title = :title,                                                 -- if :title
    description = :description,                                     -- if :description
    status = :status,                                               -- if :status
    priority = :priority,                                           -- if :priority
    business_value = :business_value,                               -- if :business_value
    file_path = :file_path,                                         -- if :file_path
    metadata = :metadata,                                           -- if :metadata
    project_id = :project_id,                                       -- if :project_id
    updated_at = now()
where epic.key = :key
returning epic.*;

-- name: delete
-- Deletes an epic, with its features and their tasks.
delete from epics as epic
where epic.key = :key
returning epic.id;

-- name: progress
-- The progress of an epic: the mean of its features, and the figure weighted by tasks.
--
-- The id is looked up first: a join with the view would compute it for every epic.
--
-- plan: epics_key_is_unique
-- plan: features_by_epic
-- plan: task_details_by_feature
select progress.*
from epic_progress as progress
where progress.epic_id = (select epic.id from epics as epic where epic.key = :key)
limit 1;

-- name: list_progress
-- The progress of every epic.
--
-- plan: allow full-scan: every task counts
select progress.*
from epic_progress as progress
order by progress.key;
