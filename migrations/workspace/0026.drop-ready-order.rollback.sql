-- 0026 back: ready tasks are listed from an index of their own.
-- Locks: share on tasks, for a second or two and million tasks (reads go on, writes wait)
set local lock_timeout = '2s';

create index tasks_ready_in_order
    on tasks (effective_priority, execution_order, created_at, id)
    where
        status = 'pending'
        and scheduled_at is null
        and unhealthy_dependencies = 0
        and workflow_is_healthy;
