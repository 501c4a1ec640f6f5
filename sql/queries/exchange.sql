-- Importing other trackers' plans: the existing rows, and writes that no other area has.

-- name: epics_by_key
-- The epics with these keys, and the import that created each.
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
-- The features with these keys, and the import that created each.
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
-- The tasks with these keys, the import that created each, and its status.
--
-- plan: tasks_key_is_unique
select
    task.key,
    task.id,
    details.metadata -> 'source' ->> 'kind' as source_kind,
    details.metadata -> 'source' ->> 'file' as source_file,
    task.status,
    task.completed_at,
    coalesce(details.metadata ? 'about_file', false) as has_about
from tasks as task
inner join task_details as details on details.task_id = task.id
where task.key = any(:keys);

-- name: specs_by_file
-- The specifications that were imported from these files.
--
-- plan: technical_specs_file_is_imported_once
select
    spec.file_path,
    spec.key
from technical_specs as spec
where spec.file_path = any(:paths);

-- name: edges_of
-- The dependencies of these tasks.
--
-- plan: task_dependencies_pkey
select
    edge.task_id,
    edge.depends_on_id
from task_dependencies as edge
where edge.task_id = any(:task_ids);

-- name: files_of
-- The files of these tasks.
--
-- plan: task_files_path_once_per_task
select
    file.task_id,
    file.path
from task_files as file
where file.task_id = any(:task_ids);

-- name: parts_of
-- The implementation tasks among these tasks.
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

-- name: import_history
-- History of another tracker: its rows carry their source, and a trigger numbers them downwards
-- from 0.
select
    import_history(
        :source,
        :task_ids,
        :old_statuses,
        :new_statuses,
        :agents,
        :notes,
        :are_forced,
        :moments
    ) as "imported!";  -- it returns a count

-- name: imported_before
-- A file's record of each of its tasks at its last import.
--
-- plan: imported_tasks_by_source
select
    task.key,
    before.task_id,
    before.content
from imported_tasks as before
inner join tasks as task on task.id = before.task_id
where before.source_kind = :kind and before.source_path = :path;

-- name: copy_imported
-- A file's record of new tasks.
copy imported_tasks (task_id, source_kind, source_path, content) from stdin;

-- name: update_imported
-- A file's current record of a task.
--
-- plan: imported_tasks_pkey
update imported_tasks as before
set
    content = :content,
    imported_at = now()
where before.task_id = :task_id;

-- name: import_transition
-- Changes a task's status as another tracker did, with that one's time.
--
-- plan: tasks_key_is_unique
update tasks as task
set
    blocked_reason = :blocked_reason,                               -- if :blocked_reason
    status_agent = :agent,
    status_note = :note,
    status_forced = true,
    status_source = :source,
    status_at = :at,
    status = :status
where task.key = :key;

-- name: reported_until
-- The time of the latest transition of each of these tasks that their tracker reported.
--
-- plan: task_history_seq_once_per_task
select
    entry.task_id,
    max(entry.created_at) as reported_at
from task_history as entry
where entry.task_id = any(:task_ids) and entry.source = :source
group by entry.task_id;

-- name: live_claims
-- The live claims of these tasks.
--
-- plan: tasks_pkey
select
    task.id as task_id,
    task.claim_agent as agent,
    task.lease_expires_at
from tasks as task
where
    task.id = any(:task_ids)
    and task.claim_agent is not null
    and task.lease_expires_at > now();

-- name: lapsed_tasks
-- The given tasks to which nothing happened since a claim of theirs lapsed.
--
-- plan: task_history_seq_once_per_task
select entry.task_id
from task_history as entry
where
    entry.task_id = any(:task_ids)
    and entry.outcome = 'lapsed'
    and not exists (
        select
        from task_history as later
        where later.task_id = entry.task_id and later.seq > entry.seq
    );
