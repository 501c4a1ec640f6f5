-- Schemas that are workspaces, and the privileges of roles in them.

-- name: list_workspaces
-- Schemas that taskdb created as workspaces, or that its migrations have begun to fill.
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
-- True if the current role may grant rights on the schema: it owns it, or has the grant option.
select
    coalesce(
        pg_has_role(nspowner, 'usage')
        or has_schema_privilege(nspname, 'usage with grant option'),
        false
    )
from pg_namespace
where nspname = :name;

-- name: search_path
select current_setting('search_path');

-- name: restore_path
-- The search path as search_path gave it.
select set_config('search_path', :path, false);

-- name: has_usage
-- True if a role may use a schema.
select coalesce(has_schema_privilege(:role::name, nspname, 'usage'), false)
from pg_namespace
where nspname = :name;

-- name: list_roles
-- The roles with privileges in a workspace, by kind: an owner owns it, an app makes tasks, a worker
-- claims them, a reader reads them. A grant that fits none, made by hand, is other. Only what was
-- granted to the role itself counts: what it has as a member of others goes with that membership.
select
    granted.role,
    granted.kind,
    granted.can_login
from (
    select
        role.rolname::text as role,
        role.rolcanlogin as can_login,
        case
            when role.oid = namespace.nspowner then 'owner'
            when 'INSERT title' = any(own.privileges) then 'app'
            when 'UPDATE status_ending' = any(own.privileges) then 'worker'
            when 'SELECT ' = any(own.privileges) then 'reader'
            else 'other'
        end as kind
    from pg_namespace as namespace
    inner join pg_class as tasks on tasks.relnamespace = namespace.oid and tasks.relname = 'tasks'
    inner join pg_roles as role
        on
            role.oid = namespace.nspowner
            or exists (
                select
                from aclexplode(namespace.nspacl) as entry
                where entry.grantee = role.oid and entry.privilege_type = 'USAGE'
            )
    cross join lateral (
        select array_agg(entry.privilege_type || ' ' || part.name) as privileges
        from (
            select
                '' as name,
                tasks.relacl as acl
            union all
            select
                attribute.attname,
                attribute.attacl
            from pg_attribute as attribute
            where attribute.attrelid = tasks.oid
        ) as part
        cross join lateral aclexplode(part.acl) as entry
        where entry.grantee = role.oid
    ) as own
    where namespace.nspname = :workspace
) as granted
order by
    array_position(array['owner', 'app', 'worker', 'reader', 'other'], granted.kind),
    granted.role;

-- name: objects_of
-- The objects of a schema, as `alter ... owner to` names them; without parts of other objects.
select
    case class.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end as kind,
    format('%I.%I', namespace.nspname, class.relname) as name
from pg_class as class
inner join pg_namespace as namespace on namespace.oid = class.relnamespace
where
    namespace.nspname = :schema
    and class.relkind in ('r', 'v', 'S')
    and not exists (
        select
        from pg_depend as part
        where
            part.classid = 'pg_class'::regclass
            and part.objid = class.oid
            and part.deptype in ('a', 'i')
            and class.relkind = 'S'
    )
union all
select
    'routine',
    format(
        '%I.%I(%s)',
        namespace.nspname,
        routine.proname,
        pg_get_function_identity_arguments(routine.oid)
    )
from pg_proc as routine
inner join pg_namespace as namespace on namespace.oid = routine.pronamespace
where namespace.nspname = :schema
order by kind, name;

-- name: owner_of
-- The role that owns a schema.
select pg_get_userbyid(namespace.nspowner)::text as "owner!"  -- every schema has an owner
from pg_namespace as namespace
where namespace.nspname = :name;

-- name: list_acl
-- Every privilege in a workspace and in shared, by object, column and role, but for an owner's
-- privileges on its own objects. The role public is everybody.
--
-- plan: allow sort: it lists every privilege, in one order for all kinds of objects
select
    namespace.nspname::text as schema,
    case class.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end as kind,
    class.relname::text as object,
    null::text as "column",
    coalesce(role.rolname::text, 'public') as role,
    lower(entry.privilege_type) as "privilege!",  -- aclexplode: no NULL
    entry.is_grantable as "is_grantable!"  -- aclexplode: no NULL
from pg_class as class
inner join pg_namespace as namespace on namespace.oid = class.relnamespace
cross join lateral aclexplode(class.relacl) as entry
left join pg_roles as role on role.oid = entry.grantee
where
    namespace.nspname in (:workspace, 'shared')
    and class.relkind in ('r', 'v', 'S')
    and entry.grantee <> class.relowner
union all
select
    namespace.nspname::text,
    'table',
    class.relname::text,
    attribute.attname::text,
    coalesce(role.rolname::text, 'public'),
    lower(entry.privilege_type),
    entry.is_grantable
from pg_attribute as attribute
inner join pg_class as class on class.oid = attribute.attrelid
inner join pg_namespace as namespace on namespace.oid = class.relnamespace
cross join lateral aclexplode(attribute.attacl) as entry
left join pg_roles as role on role.oid = entry.grantee
where
    namespace.nspname in (:workspace, 'shared')
    and entry.grantee <> class.relowner
union all
select
    namespace.nspname::text,
    'function',
    format('%s(%s)', routine.proname, oidvectortypes(routine.proargtypes)),
    null,
    coalesce(role.rolname::text, 'public'),
    lower(entry.privilege_type),
    entry.is_grantable
from pg_proc as routine
inner join pg_namespace as namespace on namespace.oid = routine.pronamespace
cross join lateral aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as entry
left join pg_roles as role on role.oid = entry.grantee
where
    namespace.nspname in (:workspace, 'shared')
    and entry.grantee <> routine.proowner
    and not exists (
        select
        from pg_depend as part
        where
            part.classid = 'pg_proc'::regclass
            and part.objid = routine.oid
            and part.deptype = 'e'
    )
union all
select
    namespace.nspname::text,
    'schema',
    namespace.nspname::text,
    null,
    coalesce(role.rolname::text, 'public'),
    lower(entry.privilege_type),
    entry.is_grantable
from pg_namespace as namespace
cross join lateral aclexplode(namespace.nspacl) as entry
left join pg_roles as role on role.oid = entry.grantee
where
    namespace.nspname in (:workspace, 'shared')
    and entry.grantee <> namespace.nspowner
order by schema, kind, object, "column" nulls first, role, "privilege!";  -- aclexplode: no NULL
