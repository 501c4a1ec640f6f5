-- 0014: lists of ready, blocked, assigned and scheduled tasks find them by index.
-- Each of these sorted or read the whole table: docs/decisions/0007-plan-check.md has the figures.
-- Locks: share update exclusive on tasks, for a second or two an index and million tasks (reads
--   and writes go on)
-- Check: select count(*) from pg_indexes where schemaname = current_schema()
--   and indexname in ('tasks_to_claim_in_order', 'tasks_blocked_in_order',
--   'tasks_by_assigned_agent', 'tasks_by_schedule');  -- expect 4
-- transactional: false

-- squawk-ignore-file prefer-robust-stmts, ban-concurrent-index-creation-in-transaction
-- (It does not know the head's last line; and the runner rolls back before it tries again.)
set lock_timeout = '2s';

create index concurrently tasks_to_claim_in_order
    on tasks (effective_priority, execution_order, created_at, id)
    where status = 'pending' and scheduled_at is null;

create index concurrently tasks_blocked_in_order
    on tasks (effective_priority, key)
    where status = 'blocked';

create index concurrently tasks_by_assigned_agent
    on tasks (assigned_agent, created_at desc, id desc)
    where assigned_agent is not null;

create index concurrently tasks_by_schedule
    on tasks (scheduled_at)
    where scheduled_at is not null;
