-- 0022: the index that tasks_ready_in_order (0021) replaces goes.
-- Locks: access exclusive on tasks, for milliseconds
-- Check: select count(*) from pg_indexes where schemaname = current_schema()
--   and indexname = 'tasks_to_claim_in_order';  -- expect 0
set local lock_timeout = '2s';

-- (Dropped concurrently it could not be put back by the rollback of a file without a transaction.)
-- squawk-ignore require-concurrent-index-deletion
drop index tasks_to_claim_in_order;
