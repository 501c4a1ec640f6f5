-- The content of docs/schema.md, read from the catalogue.

-- name: columns
-- The columns of the tables and views of these schemas; the logs of migrations, whose names
-- begin with an underscore, are left out.
select
    relation.relname::text as table_name,
    relation.relkind in ('v', 'm') as is_view,
    coalesce(obj_description(relation.oid, 'pg_class'), '') as table_comment,
    attribute.attname::text as column_name,
    format_type(attribute.atttypid, attribute.atttypmod)
        as "type!",  -- null only for a null oid
    not attribute.attnotnull as nullable,
    coalesce(col_description(relation.oid, attribute.attnum), '') as column_comment,
    coalesce(
        (
            select bool_or(attribute.attnum = any(pg_constraint.conkey))
            from pg_constraint
            where pg_constraint.conrelid = relation.oid and pg_constraint.contype = 'p'
        ),
        false
    ) as in_primary_key
from pg_class as relation
inner join pg_attribute as attribute on attribute.attrelid = relation.oid
where
    relation.relnamespace::regnamespace::text = any(:schemas::text[])
    and relation.relkind in ('r', 'p', 'v', 'm')
    and not starts_with(relation.relname::text, '_')
    and attribute.attnum > 0
    and not attribute.attisdropped
order by
    relation.relkind in ('v', 'm'),
    relation.relname collate "C",
    attribute.attnum;

-- name: foreign_keys
-- The foreign keys of these schemas. An optional one may be null; a single one refers to a row that
-- no other row of its table refers to.
select
    pg_constraint.conrelid::regclass::text as table_name,
    pg_constraint.confrelid::regclass::text as target_name,
    (
        select string_agg(attribute.attname, ', ' order by attribute.attnum)
        from pg_attribute as attribute
        where
            attribute.attrelid = pg_constraint.conrelid
            and attribute.attnum = any(pg_constraint.conkey)
    ) as "column_names!",  -- a foreign key has columns
    exists(
        select
        from pg_attribute as attribute
        where
            attribute.attrelid = pg_constraint.conrelid
            and attribute.attnum = any(pg_constraint.conkey)
            and not attribute.attnotnull
    ) as optional,
    exists(
        select
        from pg_index
        where
            pg_index.indrelid = pg_constraint.conrelid
            and pg_index.indisunique
            and pg_index.indpred is null
            and pg_index.indkey::int2[] <@ pg_constraint.conkey
    ) as single
from pg_constraint
where
    pg_constraint.contype = 'f'
    and pg_constraint.connamespace::regnamespace::text = any(:schemas::text[])
order by
    pg_constraint.confrelid::regclass::text collate "C",
    pg_constraint.conrelid::regclass::text collate "C",
    pg_constraint.conname collate "C";

-- name: types
-- The enumerated types and the domains of these schemas; `meaning` is the values of the one,
-- the base type of the other.
select
    pg_type.typname::text as name,
    case pg_type.typtype
        when 'd' then format_type(pg_type.typbasetype, pg_type.typtypmod)
        else (
            select string_agg(pg_enum.enumlabel, ', ' order by pg_enum.enumsortorder)
            from pg_enum
            where pg_enum.enumtypid = pg_type.oid
        )
    end as "meaning!",  -- a domain has a base type, an enum at least one label here
    coalesce(obj_description(pg_type.oid, 'pg_type'), '') as comment
from pg_type
where
    pg_type.typtype in ('d', 'e')
    and pg_type.typnamespace::regnamespace::text = any(:schemas::text[])
order by pg_type.typname collate "C";

-- name: transitions
-- The allowed changes of status, by their table.
select
    transition.table_name,
    transition.old_status,
    transition.new_status,
    transition.meaning
from (
    select
        'tasks' as table_name,
        old_status::text,
        new_status::text,
        meaning
    from task_status_transitions
    union all
    select
        'modifications',
        old_status::text,
        new_status::text,
        meaning
    from modification_status_transitions
    union all
    select
        'tech_spec_sessions',
        old_status::text,
        new_status::text,
        meaning
    from session_status_transitions
    union all
    select
        'technical_specs',
        old_status::text,
        new_status::text,
        meaning
    from spec_status_transitions
    union all
    select
        'workflows',
        old_status::text,
        new_status::text,
        meaning
    from workflow_status_transitions
) as transition
order by table_name, old_status collate "C", new_status collate "C";

-- name: triggers
-- The triggers of the tables of these schemas in the order of their names, which is the order
-- in which those of one moment fire.
select
    relation.relname::text as table_name,
    fired.tgname::text as trigger_name,
    case when fired.tgtype & 2 <> 0 then 'before' else 'after' end as timing,
    case when fired.tgtype & 1 <> 0 then 'row' else 'statement' end as level,
    concat_ws(
        ', ',
        case when fired.tgtype & 4 <> 0 then 'insert' end,
        case when fired.tgtype & 8 <> 0 then 'delete' end,
        case when fired.tgtype & 16 <> 0 then 'update' end,
        case when fired.tgtype & 32 <> 0 then 'truncate' end
    ) as events,
    coalesce(
        (
            select string_agg(attribute.attname, ', ' order by named.place)
            from unnest(fired.tgattr::int2[]) with ordinality as named (attnum, place)
            inner join pg_attribute as attribute
                on attribute.attrelid = fired.tgrelid and attribute.attnum = named.attnum
        ),
        ''
    ) as column_names,
    coalesce(
        substring(pg_get_triggerdef(fired.oid, true) from ' WHEN \((.*)\) EXECUTE FUNCTION '), ''
    ) as condition,
    fired.tgfoid::regproc::text as function_name,
    coalesce(
        obj_description(fired.oid, 'pg_trigger'), obj_description(fired.tgfoid, 'pg_proc'), ''
    ) as comment
from pg_trigger as fired
inner join pg_class as relation on relation.oid = fired.tgrelid
where
    relation.relnamespace::regnamespace::text = any(:schemas::text[])
    and not fired.tgisinternal
order by relation.relname collate "C", fired.tgname collate "C";
