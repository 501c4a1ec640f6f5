-- Figures for `taskdb stats --health` and the Prometheus endpoint. Each has a bounded cost, also in
-- a plan of a million tasks: counts end at :most, and nothing reads a table whole.

-- name: task_counts
-- Count the tasks in the states that matter, each up to :most. A task that only waits for another's
-- files counts as ready: to tell them apart takes a look at each.
--
-- The orders make the planner read no more than :most entries of an index.
--
-- plan: tasks_open_in_order
-- plan: tasks_by_schedule
-- plan: tasks_by_status
-- plan: tasks_by_lease
select
    (
        select count(*)
        from (
            select task.id
            from tasks as task
            where task.is_ready and task.status = 'pending'
            order by task.effective_priority, task.place, task.created_at, task.id
            limit :most
        ) as counted
    )
    + (
        select count(*)
        from (
            select overdue.id
            from tasks as overdue
            where
                not overdue.is_due
                and overdue.scheduled_at <= now()
                and overdue.status = 'pending'
                and overdue.unhealthy_dependencies = 0
                and overdue.workflow_is_healthy
                and not overdue.is_paused
            order by overdue.scheduled_at
            limit :most
        ) as counted
    ) as ready_count,
    (
        select count(*)
        from (
            select task.created_at
            from tasks as task
            where task.status = 'blocked'
            order by task.created_at desc
            limit :most
        ) as counted
    ) as blocked_count,
    (
        select count(*)
        from (
            select task.created_at
            from tasks as task
            where task.status = 'in_progress'
            order by task.created_at desc
            limit :most
        ) as counted
    ) as in_progress_count,
    (
        select count(*)
        from (
            select task.created_at
            from tasks as task
            where task.status = 'in_review'
            order by task.created_at desc
            limit :most
        ) as counted
    ) as in_review_count,
    (
        select count(*)
        from (
            select task.created_at
            from tasks as task
            where task.status = 'failed'
            order by task.created_at desc
            limit :most
        ) as counted
    ) as failed_count,
    (
        select count(*)
        from (
            select task.lease_expires_at
            from tasks as task
            where task.lease_expires_at <= now()
            order by task.lease_expires_at
            limit :most
        ) as counted
    ) as lapsed_lease_count,
    (
        select now() - min(task.lease_expires_at)
        from tasks as task
        where task.lease_expires_at <= now()
    ) as longest_lapse;

-- name: oldest_ready
-- The time for which the longest waiting ready task has been ready: since its last transition, or
-- since its schedule passed. Null: none is ready.
--
-- Looked at are the thousand next in the order of the claim, up to a thousand ready ones among the
-- ten thousand oldest pending tasks, and a thousand whose schedule has passed. With more ready
-- tasks than that another one may have been ready for longer.
--
-- plan: tasks_open_in_order
-- plan: tasks_by_status
-- plan: task_history_seq_once_per_task
with next_to_claim as (
    select
        task.id,
        task.status_seq,
        task.scheduled_at,
        task.has_files
    from tasks as task
    where task.is_ready and task.status = 'pending'
    order by task.effective_priority, task.place, task.created_at, task.id
    limit 1000
),

-- With what it returns it cannot be read from the index of open tasks alone, whole.
oldest_pending as (
    select
        task.id,
        task.status_seq,
        task.scheduled_at,
        task.has_files,
        task.is_ready,
        task.created_at
    from tasks as task
    where task.status = 'pending'
    order by task.created_at
    limit 10000
),

oldest_ready as (
    select
        oldest_pending.id,
        oldest_pending.status_seq,
        oldest_pending.scheduled_at,
        oldest_pending.has_files
    from oldest_pending
    where oldest_pending.is_ready
    order by oldest_pending.created_at
    limit 1000
),

overdue as (
    select
        task.id,
        task.status_seq,
        task.scheduled_at,
        task.has_files
    from tasks as task
    where
        not task.is_due
        and task.scheduled_at <= now()
        and task.status = 'pending'
        and task.unhealthy_dependencies = 0
        and task.workflow_is_healthy
        and not task.is_paused
    order by task.scheduled_at
    limit 1000
),

candidate as (
    select next_to_claim.* from next_to_claim
    union
    select oldest_ready.* from oldest_ready
    union
    select overdue.* from overdue
)

select max(now() - greatest(entry.created_at, candidate.scheduled_at)) as age
from candidate
inner join task_history as entry
    on entry.task_id = candidate.id and entry.seq = candidate.status_seq
-- One by one: the planner would else find the conflicts of all tasks.
left join lateral (
    select clash.task_id
    from file_conflicts as clash
    where candidate.has_files and clash.task_id = candidate.id
    limit 1
) as conflict on true
where conflict.task_id is null;

-- name: list_tables
-- The rows and updates of the tables that change with every transition, as the server's statistics
-- count them. The updates are counted since the statistics were last reset.
select
    relation.relname::text as name,
    pg_stat_get_live_tuples(relation.oid)
        as "live_tuple_count!",  -- a table has its counter
    pg_stat_get_dead_tuples(relation.oid)
        as "dead_tuple_count!",  -- a table has its counter
    pg_stat_get_tuples_updated(relation.oid)
        as "update_count!",  -- a table has its counter
    pg_stat_get_tuples_hot_updated(relation.oid)
        as "hot_update_count!"  -- a table has its counter
from pg_class as relation
where
    relation.oid in (
        to_regclass('tasks'),
        to_regclass('task_details'),
        to_regclass('task_dependencies'),
        to_regclass('task_history')
    )
order by name;

-- name: server
-- Sessions of this database but for the asking one: what they hold back, and what they wait for.
--
-- Another role's session shows its state and its times only to members of pg_read_all_stats;
-- hidden_session_count counts those that do not. It costs a look at each session and each lock.
with other as (
    select
        session.pid,
        session.state,
        session.xact_start,
        session.backend_type,
        greatest(age(session.backend_xmin), age(session.backend_xid)) as transaction_count
    from pg_stat_activity as session
    where session.datname = current_database() and session.pid <> pg_backend_pid()
),

client as (
    select
        other.pid,
        other.state
    from other
    where other.backend_type = 'client backend' or other.backend_type is null
),

holder as (
    select
        now() - other.xact_start as age,
        other.transaction_count
    from other
    where other.transaction_count is not null
    union all
    select
        now() - pg_prepared_xacts.prepared,
        age(pg_prepared_xacts.transaction)
    from pg_prepared_xacts
    where pg_prepared_xacts.database = current_database()
    union all
    select
        null,
        age(pg_replication_slots.xmin)
    from pg_replication_slots
),

waiter as (
    select
        held.pid,
        min(held.waitstart) as waits_since
    from pg_locks as held
    where not held.granted and held.pid in (select other.pid from other)
    group by held.pid
)

select
    current_database()::text as database,
    (select max(holder.age) from holder) as oldest_snapshot_age,
    (select max(holder.transaction_count) from holder) as oldest_snapshot_transactions,
    (select count(*) from waiter) as lock_wait_count,
    (select max(clock_timestamp() - waiter.waits_since) from waiter) as longest_lock_wait,
    pg_notification_queue_usage()
        as "notification_queue_usage!",  -- strict, without an argument
    (select count(*) from client) as session_count,
    (select count(*) from client where client.state = 'active') as active_session_count,
    (select count(*) from client where client.state like 'idle in transaction%')
        as idle_in_transaction_count,
    (select count(*) from client where client.state is null) as hidden_session_count,
    current_setting('max_connections')::integer as max_connections;
