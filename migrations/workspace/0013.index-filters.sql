-- 0013: list_tasks finds by index what few tasks of a million have, or none.
-- docs/decisions/0014-insight.md has the figures.
-- Locks: share update exclusive on tasks, for a second or two an index and million tasks (reads
--   and writes go on)
-- Check: select count(*) from pg_indexes where schemaname = current_schema()
--   and indexname in ('tasks_by_agent_type', 'tasks_by_creator', 'tasks_by_priority');  -- expect 3
-- transactional: false

-- squawk-ignore-file prefer-robust-stmts, ban-concurrent-index-creation-in-transaction
-- (It does not know the head's last line; and the runner rolls back before it tries again.)
set lock_timeout = '2s';

create index concurrently tasks_by_agent_type
    on tasks (agent_type, created_at desc, id desc)
    where agent_type is not null;

create index concurrently tasks_by_creator
    on tasks (created_by, created_at desc, id desc)
    where created_by is not null;

create index concurrently tasks_by_priority
    on tasks (priority, created_at desc, id desc);
