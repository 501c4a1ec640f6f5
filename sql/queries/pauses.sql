-- Pauses: parts of the plan of which no task can be claimed. A trigger writes the tasks' rows.

-- name: pause
-- A pause for an epic, a feature, an agent type, or the whole workspace; if it exists, the same
-- one. No row if there is no such epic or feature.
--
-- plan: epics_key_is_unique
-- plan: features_key_is_unique
insert into claim_pauses (epic_id, feature_id, agent_type, reason, created_by)
select
    scope.epic_id,
    scope.feature_id,
    :agent_type,
    :reason,
    :created_by
from (
    select
        (select epic.id from epics as epic where epic.key = :epic) as epic_id,
        (select feature.id from features as feature where feature.key = :feature) as feature_id
) as scope
where
    (scope.epic_id is null) = (cast(:epic as text) is null)
    and (scope.feature_id is null) = (cast(:feature as text) is null)
on conflict on constraint claim_pauses_once_per_scope do update
    set reason = excluded.reason
returning id, epic_id, feature_id, agent_type, reason, created_by, created_at;

-- name: resume
-- Ends the pause of this scope.
--
-- plan: epics_key_is_unique
-- plan: features_key_is_unique
delete from claim_pauses as pause
where
    pause.epic_id is not distinct from (
        select epic.id from epics as epic where epic.key = :epic
    )
    and pause.feature_id is not distinct from (
        select feature.id from features as feature where feature.key = :feature
    )
    and pause.agent_type is not distinct from :agent_type
    and (pause.epic_id is null) = (cast(:epic as text) is null)
    and (pause.feature_id is null) = (cast(:feature as text) is null);

-- name: list_pauses
-- The pauses, the longest first.
select pause.*
from claim_pauses as pause
order by pause.created_at, pause.id;
