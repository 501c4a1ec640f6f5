-- The tables of the workspace that an export holds, each after those its foreign keys refer to,
-- with the columns that the server does not compute. The migrations' own tables begin with _.
create function exported_tables()
    returns table (name text, columns text[])
    language sql
    stable
    set search_path from current
as $$
    with recursive exported as (
        select
            class.oid,
            class.relname::text as name
        from pg_class as class
        inner join pg_namespace as space on space.oid = class.relnamespace
        where
            space.nspname = current_schema()
            and class.relkind = 'r'
            and not starts_with(class.relname, '_')
    ),

    reference as (
        select
            link.conrelid as child,
            link.confrelid as parent
        from pg_constraint as link
        where link.contype = 'f' and link.conrelid <> link.confrelid
    ),

    depth as (
        select
            exported.oid,
            0 as number
        from exported
        union
        select
            reference.child,
            depth.number + 1
        from depth
        inner join reference on reference.parent = depth.oid
        where depth.number < 100
    )

    select
        exported.name,
        array(
            select attribute.attname::text
            from pg_attribute as attribute
            where
                attribute.attrelid = exported.oid
                and attribute.attnum > 0
                and attribute.attgenerated = ''
                and not attribute.attisdropped
            order by attribute.attname
        )
    from exported
    inner join depth on depth.oid = exported.oid
    group by exported.oid, exported.name
    order by max(depth.number), exported.name;
$$;

comment on function exported_tables() is
    'The tables of an export, parents first, with their columns.';
