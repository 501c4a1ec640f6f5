-- 0026: claims no longer have an index to read every ready task by.
-- Where nothing is reserved and priorities are equal, tasks_ready_in_order tied with
-- tasks_to_claim on cost, and the branch "reserved for me" filtered every ready row.
-- Locks: access exclusive on tasks, for milliseconds
-- Check: select count(*) from pg_indexes where schemaname = current_schema()
--   and indexname = 'tasks_ready_in_order';  -- expect 0
set local lock_timeout = '2s';

-- (Dropped concurrently it could not be put back by the rollback of a file without a transaction.)
-- squawk-ignore require-concurrent-index-deletion
drop index tasks_ready_in_order;
