-- The server's own accounts.

-- name: server_processes
-- is_client: of this database, and not this session.
select
    activity.pid,
    coalesce(
        activity.datname = current_database()
        and activity.backend_type in ('client backend', 'parallel worker')
        and activity.pid <> pg_backend_pid(),
        false
    ) as is_client
from pg_stat_activity as activity;

-- name: wal_position
select pg_current_wal_insert_lsn()::text as position;

-- name: wal_bytes
-- The length of the records without the images of whole pages in them.
select coalesce(sum(wal.record_size), 0)::float8 as bytes
from public.pg_get_wal_stats(
    :since::pg_lsn, least(:until::pg_lsn, pg_current_wal_flush_lsn())
) as wal;

-- name: flush_statistics
-- A session may report its transactions a second late.
select pg_stat_force_next_flush();

-- name: count_transactions
select database.xact_commit + database.xact_rollback as count
from pg_stat_database as database
where database.datname = current_database();

-- name: inspect_wal
create extension if not exists pg_walinspect schema public;

-- name: checkpoint
checkpoint; -- noqa: PRS

-- name: vacuum_all
vacuum (analyze);

-- name: lift_timeout
-- A connection of taskdb's gives a statement a minute, which filling a long queue may exceed.
set statement_timeout = 0;
