-- The history of all tasks, each entry with the key of its task.
create view task_changes as
select
    entry.task_id,
    task.key,
    entry.seq,
    entry.old_status,
    entry.new_status,
    entry.agent,
    entry.login_role,
    entry.note,
    entry.forced,
    entry.source,
    entry.token,
    entry.outcome,
    entry.created_at
from task_history as entry
inner join tasks as task on task.id = entry.task_id;

comment on view task_changes is 'The history of tasks, with their keys.';
