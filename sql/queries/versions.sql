-- The migrations of a database: read by a service when it connects.

-- name: logged_schemas
-- `shared` and the first schema of the search path, if they have a log.
select namespace.nspname
from pg_class as relation
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
where
    relation.relname = '_taskdb_migration'
    and relation.relkind = 'r'
    and namespace.nspname in ('shared', current_schema())
order by namespace.nspname;

-- name: searched_schemas
-- The schemas of the search path, in its order, and whether this role lacks access to one that
-- exists. The server skips such a schema silently.
select
    entry.name,
    coalesce(
        not has_schema_privilege(namespace.oid, 'usage'),
        false
    ) as is_closed
from
    regexp_split_to_table(
        replace(current_setting('search_path'), '"', ''), ',\s*'
    ) with ordinality as entry (name, position)
left join pg_namespace as namespace on namespace.nspname = entry.name
order by entry.position;

-- name: list_recorded
-- The migrations of a workspace and of `shared`, for a service that starts.
select
    track,
    migration_id as id,
    breaking
from shared._taskdb_migration
union all
select
    track,
    migration_id as id,
    breaking
from _taskdb_migration
order by track, id;
