-- Features.

-- name: create
insert into features (
    epic_id,
    key,
    title,
    description,
    status,
    execution_order,
    file_path,
    metadata,
    created_by
)
values (
    :epic_id,
    :key,
    :title,
    :description,
    :status,
    :execution_order,
    :file_path,
    :metadata,
    :created_by
)
returning features.*;

-- name: get
-- plan: features_pkey
select feature.*
from features as feature
where feature.id = :id;

-- name: get_by_key
-- plan: features_key_is_unique
select feature.*
from features as feature
where feature.key = :key;

-- name: list_features
-- Features in the order of their keys; a page begins after the last key of the one before.
--
-- plan: features_key_is_unique, features_by_epic, features_by_status
select feature.*
from features as feature
where true
    and feature.epic_id = :epic_id                                  -- if :epic_id
    and feature.status = :status                                    -- if :status
    and feature.key > :after_key                                    -- if :after_key
order by feature.key
limit :limit;

-- name: update
-- Changes the given columns, and nothing else.
--
-- plan: features_key_is_unique
update features as feature
set
    title = :title,                                                 -- if :title
    description = :description,                                     -- if :description
    status = :status,                                               -- if :status
    execution_order = :execution_order,                             -- if :execution_order
    file_path = :file_path,                                         -- if :file_path
    metadata = :metadata,                                           -- if :metadata
    updated_at = now()
where feature.key = :key
returning feature.*;

-- name: delete
-- Deletes a feature, with its tasks.
--
-- plan: features_key_is_unique
delete from features as feature
where feature.key = :key
returning feature.id;

-- name: progress
-- The progress of a feature, computed now.
--
-- plan: features_key_is_unique
-- plan: task_details_by_feature
select progress.*
from feature_progress as progress
where progress.key = :key
limit 1;

-- name: list_progress
-- The progress of every feature, or of those of one epic.
--
-- plan: allow full-scan without :epic_id: every task counts
select progress.*
from feature_progress as progress
where true
    and progress.epic_id = :epic_id                                 -- if :epic_id
order by progress.key;

-- name: update_progress
-- Refreshes the cached progress_pct of a feature.
--
-- plan: features_key_is_unique
-- plan: task_details_by_feature
with current as (
    select
        progress.feature_id,
        progress.progress_pct,
        progress.completed_count,
        progress.counted_count
    from feature_progress as progress
    where progress.key = :key
    limit 1
)

update features as feature
set
    progress_pct = current.progress_pct,
    progress_completed_count = current.completed_count,
    progress_counted_count = current.counted_count
from current
where feature.id = current.feature_id
returning feature.progress_pct;
