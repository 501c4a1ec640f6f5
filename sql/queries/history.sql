-- History: transitions, with their author, moment and note.

-- name: list_for_task
-- The history of a task, the oldest first: what was imported, then what was recorded.
--
-- plan: tasks_key_is_unique
-- plan: task_history_seq_once_per_task
select
    entry.task_id,
    task.key,
    entry.seq,
    entry.old_status,
    entry.new_status,
    entry.agent,
    entry.note,
    entry.forced,
    entry.source,
    entry.token,
    entry.outcome,
    entry.created_at
from tasks as task
inner join task_history as entry on entry.task_id = task.id
where task.key = :key
order by greatest(entry.seq, 0), entry.created_at, entry.seq desc;

-- name: list_by_agent
-- What an agent did, the newest first; a page begins after the last row of the one before.
--
-- plan: task_history_by_agent
select
    entry.task_id,
    task.key,
    entry.seq,
    entry.old_status,
    entry.new_status,
    entry.agent,
    entry.note,
    entry.forced,
    entry.source,
    entry.token,
    entry.outcome,
    entry.created_at
from task_history as entry
inner join tasks as task on task.id = entry.task_id
where
    entry.agent = :agent
    and (                                         -- if :after_created_at :after_task_id :after_seq
        entry.created_at,                         -- if :after_created_at :after_task_id :after_seq
        entry.task_id,                            -- if :after_created_at :after_task_id :after_seq
        entry.seq                                 -- if :after_created_at :after_task_id :after_seq
    ) < (                                         -- if :after_created_at :after_task_id :after_seq
        :after_created_at,                        -- if :after_created_at :after_task_id :after_seq
        :after_task_id,                           -- if :after_created_at :after_task_id :after_seq
        :after_seq                                -- if :after_created_at :after_task_id :after_seq
    )                                             -- if :after_created_at :after_task_id :after_seq
order by entry.created_at desc, entry.task_id desc, entry.seq desc
limit :limit;

-- name: recent
-- The latest changes across all tasks; a page begins after the last row of the one before.
--
-- plan: task_history_by_time
select
    entry.task_id,
    task.key,
    entry.seq,
    entry.old_status,
    entry.new_status,
    entry.agent,
    entry.note,
    entry.forced,
    entry.source,
    entry.token,
    entry.outcome,
    entry.created_at
from task_history as entry
inner join tasks as task on task.id = entry.task_id
where
    true
    and entry.created_at >= :since                                  -- if :since
    and (                                         -- if :after_created_at :after_task_id :after_seq
        entry.created_at,                         -- if :after_created_at :after_task_id :after_seq
        entry.task_id,                            -- if :after_created_at :after_task_id :after_seq
        entry.seq                                 -- if :after_created_at :after_task_id :after_seq
    ) < (                                         -- if :after_created_at :after_task_id :after_seq
        :after_created_at,                        -- if :after_created_at :after_task_id :after_seq
        :after_task_id,                           -- if :after_created_at :after_task_id :after_seq
        :after_seq                                -- if :after_created_at :after_task_id :after_seq
    )                                             -- if :after_created_at :after_task_id :after_seq
order by entry.created_at desc, entry.task_id desc, entry.seq desc
limit :limit;
