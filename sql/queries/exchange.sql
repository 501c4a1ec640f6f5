-- Importing other trackers' plans: what is there already, and what no other area writes.

-- name: epics_by_key
-- Which of these epics exist, and which import made them.
--
-- plan: epics_key_is_unique
select
    epic.key,
    epic.id,
    epic.metadata -> 'source' ->> 'kind' as source_kind,
    epic.metadata -> 'source' ->> 'file' as source_file
from epics as epic
where epic.key = any(:keys);

-- name: features_by_key
-- Which of these features exist, and which import made them.
--
-- plan: features_key_is_unique
select
    feature.key,
    feature.id,
    feature.metadata -> 'source' ->> 'kind' as source_kind,
    feature.metadata -> 'source' ->> 'file' as source_file
from features as feature
where feature.key = any(:keys);

-- name: tasks_by_key
-- Which of these tasks exist, which import made them, and where they stand.
--
-- plan: tasks_key_is_unique
select
    task.key,
    task.id,
    task.metadata -> 'source' ->> 'kind' as source_kind,
    task.metadata -> 'source' ->> 'file' as source_file,
    task.status,
    task.completed_at
from tasks as task
where task.key = any(:keys);

-- name: specs_by_file
-- Which of these files were imported as specifications.
--
-- plan: technical_specs_file_is_imported_once
select
    spec.file_path,
    spec.key
from technical_specs as spec
where spec.file_path = any(:paths);

-- name: edges_of
-- What these tasks wait for.
--
-- plan: task_dependencies_pkey
select
    edge.task_id,
    edge.depends_on_id
from task_dependencies as edge
where edge.task_id = any(:task_ids);

-- name: files_of
-- The files that these tasks have.
--
-- plan: task_files_path_once_per_task
select
    file.task_id,
    file.path
from task_files as file
where file.task_id = any(:task_ids);

-- name: parts_of
-- Which of these tasks are implementation tasks.
--
-- plan: implementation_tasks_pkey
select work.task_id
from implementation_tasks as work
where work.task_id = any(:task_ids);

-- name: copy_epics
-- Epics with their own moment of creation.
copy epics (
    key,
    title,
    description,
    status,
    priority,
    business_value,
    file_path,
    metadata,
    created_by,
    created_at
)
from stdin;

-- name: copy_features
-- Features with their own moment of creation.
copy features (
    epic_id,
    key,
    title,
    description,
    status,
    execution_order,
    file_path,
    metadata,
    created_by,
    created_at
)
from stdin;

-- name: copy_edges
-- Dependencies with their own moment of creation.
copy task_dependencies (task_id, depends_on_id, dependency_type, created_by, created_at)
from stdin;

-- name: copy_history
-- History that another tracker kept: its rows carry their source and have no seq.
copy task_history (
    task_id,
    old_status,
    new_status,
    agent,
    note,
    forced,
    source,
    created_at
)
from stdin;

-- name: add_lapsed_claims
-- Claims whose lease is over, of the agents that worked on these tasks when the file was
-- written: whoever claims next takes over. A clock that was ahead does not prolong them.
--
-- plan: tasks_pkey
with lapsed as (
    select
        said.task_id,
        said.agent,
        least(said.claimed_at, now()) as claimed_at
    from unnest(:task_ids::uuid[], :agents::text[], :moments::timestamptz[])
        as said (task_id, agent, claimed_at)
),

claimed as (
    update tasks as task
    set claim_token = task.claim_token + 1
    from lapsed
    where task.id = lapsed.task_id and task.status = 'in_progress'
    returning
        task.id,
        task.claim_token,
        lapsed.agent,
        lapsed.claimed_at
)

insert into task_claims (task_id, token, agent, claimed_at, lease_expires_at)
select
    claimed.id,
    claimed.claim_token,
    claimed.agent,
    claimed.claimed_at,
    claimed.claimed_at as lease_expires_at
from claimed;

-- name: said_before
-- What a file said of each of its tasks when it was last imported.
--
-- plan: imported_tasks_by_source
select
    task.key,
    before.task_id,
    before.said
from imported_tasks as before
inner join tasks as task on task.id = before.task_id
where before.source_kind = :kind and before.source_path = :path;

-- name: copy_said
-- What a file says of new tasks.
copy imported_tasks (task_id, source_kind, source_path, said) from stdin;

-- name: say_again
-- What a file says of a task now.
--
-- plan: imported_tasks_pkey
update imported_tasks as before
set
    said = :said,
    imported_at = now()
where before.task_id = :task_id;

-- name: live_claims
-- Who is at work on these tasks.
--
-- plan: task_claims_one_live, task_claims_by_lease
select
    claim.task_id,
    claim.agent,
    claim.lease_expires_at
from task_claims as claim
where
    claim.task_id = any(:task_ids)
    and claim.outcome is null
    and claim.lease_expires_at > now();
