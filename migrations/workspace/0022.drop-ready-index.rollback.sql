-- 0022 back: ready tasks are listed from the index that has what waits for a recovery as well.
-- Locks: share on tasks, for a second or two and million tasks (reads go on, writes wait)
set local lock_timeout = '2s';

create index tasks_to_claim_in_order
    on tasks (effective_priority, execution_order, created_at, id)
    where status = 'pending' and scheduled_at is null;
