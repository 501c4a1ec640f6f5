-- Locks of a migration, for `taskdb check`.

-- name: list_relations
-- The tables, views and sequences of some schemas, but for the migration runner's own.
select
    relation.oid::bigint as oid,
    namespace.nspname as schema,
    relation.relname as name,
    relation.relkind in ('r', 'p') as is_table,
    relation.relkind = 'S' as is_sequence
from pg_class as relation
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
where
    namespace.nspname = any(:schemas::text[])
    and relation.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and relation.relname not in (
        '_taskdb_migration', '_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock'
    )
order by oid;

-- name: list_locks
-- The locks on relations that a server process holds, or waits for.
select
    coalesce(held.relation::bigint, 0) as relation,
    coalesce(held.mode, '') as mode,
    coalesce(held.granted, false) as is_granted
from pg_locks as held
where
    held.pid = :pid
    and held.locktype = 'relation'
    and held.database = (select oid from pg_database where datname = current_database())
order by relation, mode;
