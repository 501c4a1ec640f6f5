-- Which migrations a database has: asked by a service when it connects.

-- name: logged_schemas
-- Which of `shared` and the first schema of the search path have a log.
select namespace.nspname
from pg_class as relation
inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
where
    relation.relname = '_taskdb_migration'
    and relation.relkind = 'r'
    and namespace.nspname in ('shared', current_schema())
order by namespace.nspname;

-- name: searched_schemas
-- The schemas that the search path names, in its order, and whether this role is kept out of
-- one that is there. The server itself passes over such a schema without a word.
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
-- What a workspace and `shared` have, for a service that starts.
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
