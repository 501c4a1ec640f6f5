-- 0018: what was finished and reopened is found by index, the newest first.
-- `taskdb check plans` found flow.reopenings reading the history of a million tasks to its end,
-- for a page that never filled up.
-- Locks: share update exclusive on task_history, for two seconds a million tasks (reads and
--   writes go on)
-- Check: select count(*) from pg_indexes where schemaname = current_schema()
--   and indexname = 'task_history_reopenings';  -- expect 1
-- transactional: false

-- squawk-ignore-file prefer-robust-stmts, ban-concurrent-index-creation-in-transaction
-- (It does not know the head's last line; and the runner rolls back before it tries again.)
set lock_timeout = '2s';

create index concurrently task_history_reopenings
    on task_history (created_at desc, id desc)
    where
        old_status in ('completed', 'failed', 'cancelled', 'archived')
        and new_status in ('pending', 'blocked', 'in_progress', 'in_review');
