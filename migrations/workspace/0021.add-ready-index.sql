-- 0021: ready tasks are listed from an index without those that wait for a recovery, as claims
-- are: an outage hides nothing behind it. 0022 drops the index that this one replaces.
-- Locks: share update exclusive on tasks, for a second or two and million tasks (reads and writes
--   go on)
-- Check: select count(*) from pg_indexes where schemaname = current_schema()
--   and indexname = 'tasks_ready_in_order';  -- expect 1
-- transactional: false

-- squawk-ignore-file prefer-robust-stmts, ban-concurrent-index-creation-in-transaction
-- (It does not know the head's last line; and the runner rolls back before it tries again.)
set lock_timeout = '2s';

create index concurrently tasks_ready_in_order
    on tasks (effective_priority, execution_order, created_at, id)
    where
        status = 'pending'
        and scheduled_at is null
        and unhealthy_dependencies = 0
        and workflow_is_healthy;
