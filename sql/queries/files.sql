-- Files of tasks: results of agents, or inputs.

-- name: put
-- Writes a file of a task, replacing one of the same path.
--
-- plan: tasks_key_is_unique
-- plan: task_files_path_once_per_task
with owner as (
    select task.id
    from tasks as task
    where task.key = :task
)

insert into task_files (task_id, path, content, content_type, metadata)
select
    owner.id,
    :path,
    :content,
    :content_type,
    :metadata
from owner
on conflict (task_id, path) do update
set
    content = excluded.content,
    content_type = excluded.content_type,
    metadata = excluded.metadata
returning
    id,
    task_id,
    path,
    content_type,
    size_bytes,
    sha256,
    metadata,
    created_at,
    updated_at;

-- name: get
-- A file of a task, with its content.
--
-- plan: tasks_key_is_unique
-- plan: task_files_path_once_per_task
select file.*
from tasks as task
inner join task_files as file on file.task_id = task.id
where task.key = :task and file.path = :path;

-- name: list_files
-- The files of a task, without their contents.
--
-- plan: tasks_key_is_unique
-- plan: task_files_path_once_per_task
select
    file.id,
    file.task_id,
    file.path,
    file.content_type,
    file.size_bytes,
    file.sha256,
    file.metadata,
    file.created_at,
    file.updated_at
from tasks as task
inner join task_files as file on file.task_id = task.id
where task.key = :task
order by file.path;

-- name: delete
-- Deletes a file.
--
-- plan: tasks_key_is_unique
-- plan: task_files_path_once_per_task
with owner as (
    select task.id
    from tasks as task
    where task.key = :task
)

delete from task_files as file
using owner
where file.task_id = owner.id and file.path = :path
returning file.id;
