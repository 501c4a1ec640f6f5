-- History: transitions, with their author, moment and note.

-- name: list_for_task
-- The history of a task, the oldest first: imported rows, then recorded ones.
--
-- plan: tasks_key_is_unique
-- plan: task_history_seq_once_per_task
select entry.*
from task_changes as entry
where entry.key = :key
order by greatest(entry.seq, 0), entry.created_at, entry.seq desc;

-- name: list_by_agent
-- The changes by an agent, the newest first; a page begins after the last row of the one before.
--
-- plan: task_history_by_time
select entry.*
from task_changes as entry
where
    entry.agent = :agent
    -- if :after_created_at :after_task_id :after_seq
    and (entry.created_at, entry.task_id, entry.seq)
        < (:after_created_at, :after_task_id, :after_seq)
    -- end if
order by entry.created_at desc, entry.task_id desc, entry.seq desc
limit :limit;

-- name: recent
-- The latest changes across all tasks; a page begins after the last row of the one before.
--
-- plan: task_history_by_time
select entry.*
from task_changes as entry
where true
    and entry.created_at >= :since                                  -- if :since
    -- if :after_created_at :after_task_id :after_seq
    and (entry.created_at, entry.task_id, entry.seq)
        < (:after_created_at, :after_task_id, :after_seq)
    -- end if
order by entry.created_at desc, entry.task_id desc, entry.seq desc
limit :limit;
