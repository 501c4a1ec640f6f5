-- The migration runner's statements. Unqualified names mean the schema that is migrated,
-- first in search_path.

-- name: set_path
-- The session's search path, in order, as `set search_path` takes it; without schemas it is empty.
select
    coalesce(
        set_config(
            'search_path',
            coalesce(
                (
                    select string_agg(quote_ident(entry.name), ', ' order by entry.position)
                    from unnest(:schemas::text[]) with ordinality as entry (name, position)
                ),
                ''
            ),
            false
        ),
        ''
    );

-- name: try_lock
-- The lock that lets one runner at a time into a database. It is tried, not waited for:
-- a session that waits inside the server holds a snapshot, and the other's
-- `create index concurrently` would wait for that.
select pg_try_advisory_lock(:key);

-- name: unlock
select pg_advisory_unlock(:key);

-- name: lock_holder
-- The server process that holds the runner's lock.
select pid
from pg_locks
where
    locktype = 'advisory'
    and granted
    and objsubid = 1
    and database = (select oid from pg_database where datname = current_database())
    and (classid::bigint << 32 | objid::bigint) = :key
limit 1;

-- name: tables_of
-- The tables of a schema.
select relation.relname
from pg_class as relation
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
where
    namespace.nspname = :schema
    and relation.relkind = 'r'
order by relation.relname;

-- name: list_applied
-- The migrations applied to this schema, in their order.
select
    migration_id as id,
    applied_at,
    checksum,
    breaking,
    package,
    shared_revision
from _taskdb_migration
order by migration_id;

-- name: list_disagreements
-- Migrations that are only in yoyo's own table or only in ours: another tool was here.
select coalesce(ours.migration_id, theirs.migration_id, '') as id
from _taskdb_migration as ours
full join _yoyo_migration as theirs on theirs.migration_id = ours.migration_id
where ours.migration_id is null or theirs.migration_id is null
order by id;

-- name: list_log
-- The log of this schema, oldest first.
select
    coalesce(migration_id, '') as id,
    coalesce(operation, '') as operation,
    coalesce(created_at_utc, 'epoch') at time zone 'utc' as at,
    coalesce(username, '') as username,
    coalesce(hostname, '') as hostname
from _yoyo_log
order by created_at_utc, id;

-- name: record
insert into _taskdb_migration (
    migration_id, track, checksum, breaking, package, shared_revision
)
values (:id, :track, :checksum, :breaking, :package, :shared_revision);

-- name: forget
delete from _taskdb_migration
where migration_id = :id;
