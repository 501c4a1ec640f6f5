-- Which schemas are workspaces, and what a role may do there.

-- name: list_workspaces
-- Schemas that taskdb made as workspaces, or that its migrations have begun to fill.
select namespace.nspname
from pg_namespace as namespace
where
    namespace.nspname <> 'shared'
    and (
        obj_description(namespace.oid, 'pg_namespace') = 'A taskdb workspace.'
        or exists (
            select 1
            from pg_class as relation
            where
                relation.relnamespace = namespace.oid
                and relation.relname = '_taskdb_migration'
                and relation.relkind = 'r'
        )
    )
order by namespace.nspname;

-- name: schema_exists
select exists(select 1 from pg_namespace where nspname = :name);

-- name: role_exists
select exists(select 1 from pg_roles where rolname = :name);

-- name: may_grant_on
-- Whether the current role may hand out rights on the schema: it owns it.
select coalesce(pg_has_role(nspowner, 'usage'), false)
from pg_namespace
where nspname = :name;

-- name: has_usage
-- Whether a role may use a schema.
select coalesce(has_schema_privilege(:role::name, nspname, 'usage'), false)
from pg_namespace
where nspname = :name;
