-- Catalogue queries of `taskdb check`. None reads a user's table.

-- name: print_rewritten_trees
-- Until the transaction ends, every statement that is parsed sends back its analysed tree, views
-- expanded, as a notice: debug output at level LOG, which clients don't get otherwise. A role with
-- the privilege keeps it out of the server's log.
select
    concat_ws(
        ' ',
        set_config('client_min_messages', 'log', true),
        set_config('debug_pretty_print', 'off', true),
        set_config('debug_print_rewritten', 'on', true),
        case
            when has_parameter_privilege('log_min_messages', 'SET')
                then set_config('log_min_messages', 'fatal', true)
        end
    ) as settings;

-- name: plan_generically
-- Until the transaction ends, statements are planned without their arguments, and none writes.
select
    concat_ws(
        ' ',
        set_config('plan_cache_mode', 'force_generic_plan', true),
        set_config('transaction_read_only', 'on', true)
    ) as settings;

-- name: functions
-- Facts about functions. One is built in if it came with initdb.
select
    pg_proc.oid::bigint as oid,
    pg_proc.proname::text as name,
    array(
        select coalesce(format_type(argument.type, null), '???')
        from unnest(pg_proc.proargtypes) with ordinality as argument (type, position)
        order by argument.position
    ) as arguments,
    pg_proc.pronamespace = 'pg_catalog'::regnamespace
    and pg_proc.oid < 16384 as built_in,
    pg_proc.proisstrict as strict,
    pg_proc.proretset as returns_set,
    pg_proc.provolatile = 'v' as volatile,
    pg_proc.prokind::text as kind,
    array(
        select distinct pg_operator.oprname::text
        from pg_operator
        where
            pg_operator.oprcode = pg_proc.oid
            and pg_operator.oid < 16384
    ) as operators
from pg_proc
where pg_proc.oid = any(:oids::oid[])
order by pg_proc.oid;

-- name: relations
-- Facts about relations. A column always has a value where it is NOT NULL, by a constraint that was
-- checked for all rows, in the relation and in all that inherit from it (`never_null`), or in the
-- relation alone, as `only` reads it (`never_null_alone`). Foreign tables guarantee nothing: their
-- constraints are never checked.
with recursive family (root, member) as (
    select
        root.oid,
        root.oid
    from unnest(:oids::oid[]) as root (oid)
    union
    select
        family.root,
        pg_inherits.inhrelid
    from family
    inner join pg_inherits on family.member = pg_inherits.inhparent
),

column_of_member (root, member, name, has_value) as (
    select
        family.root,
        family.member,
        pg_attribute.attname,
        pg_attribute.attnotnull
        and pg_class.relkind <> 'f'
        and not exists (
            select
            from pg_constraint
            where
                pg_constraint.conrelid = family.member
                and pg_constraint.contype = 'n'
                and not pg_constraint.convalidated
                and pg_attribute.attnum = any(pg_constraint.conkey)
        )
    from family
    inner join pg_class on family.member = pg_class.oid
    inner join pg_attribute on family.member = pg_attribute.attrelid
    where
        pg_attribute.attnum > 0
        and not pg_attribute.attisdropped
),

sure_column (root, name) as (
    select
        column_of_member.root,
        column_of_member.name
    from column_of_member
    group by column_of_member.root, column_of_member.name
    having bool_and(column_of_member.has_value)
)

select
    pg_class.oid::bigint as oid,
    pg_namespace.nspname::text as schema,
    pg_class.relname::text as name,
    pg_class.relkind::text as kind,
    array(
        select pg_attribute.attname::text
        from pg_attribute
        where
            pg_attribute.attrelid = pg_class.oid
            and pg_attribute.attnum > 0
        order by pg_attribute.attnum
    ) as columns,
    array(
        select pg_attribute.atttypid::bigint
        from pg_attribute
        where
            pg_attribute.attrelid = pg_class.oid
            and pg_attribute.attnum > 0
        order by pg_attribute.attnum
    ) as column_types,
    array(
        select pg_attribute.attnum::integer
        from pg_attribute
        inner join sure_column on pg_attribute.attname = sure_column.name
        where
            pg_attribute.attrelid = pg_class.oid
            and sure_column.root = pg_class.oid
            and pg_attribute.attnum > 0
        order by pg_attribute.attnum
    ) as never_null,
    array(
        select pg_attribute.attnum::integer
        from pg_attribute
        inner join column_of_member on pg_attribute.attname = column_of_member.name
        where
            pg_attribute.attrelid = pg_class.oid
            and column_of_member.member = pg_class.oid
            and column_of_member.root = pg_class.oid
            and column_of_member.has_value
            and pg_attribute.attnum > 0
        order by pg_attribute.attnum
    ) as never_null_alone,
    array(
        select pg_attribute.attnum::integer
        from pg_attribute
        where
            pg_attribute.attrelid = pg_class.oid
            and pg_attribute.attgenerated <> ''
        order by pg_attribute.attnum
    ) as generated,
    exists(
        select 1
        from family
        where
            family.root = pg_class.oid
            and family.member <> pg_class.oid
    ) as has_children,
    -- A BEFORE trigger for each row (bits 1 and 2 of tgtype) may change the values written; so may
    -- the objects behind a view or a foreign table, and children that compute a column.
    pg_class.relkind <> 'r'
    or exists (
        select
        from family
        left join pg_trigger on family.member = pg_trigger.tgrelid
        where
            family.root = pg_class.oid
            and (
                family.member <> family.root
                or pg_trigger.tgtype & 3 = 3
            )
    ) as rewrites_rows,
    -- One that keeps a row out returns NULL, or the old row of an INSERT, which is NULL; what a
    -- function that is not PL/pgSQL returns its text doesn't say.
    exists(
        select
        from family
        inner join pg_trigger on family.member = pg_trigger.tgrelid
        inner join pg_proc on pg_trigger.tgfoid = pg_proc.oid
        inner join pg_language on pg_proc.prolang = pg_language.oid
        where
            family.root = pg_class.oid
            and pg_trigger.tgtype & 5 = 5
            and pg_trigger.tgtype & 66 <> 0
            and (
                pg_language.lanname <> 'plpgsql'
                or pg_proc.prosrc ~* '\mreturn\s+(null|old)\M'
            )
    ) as keeps_rows_out
from pg_class
inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
where pg_class.oid = any(:oids::oid[])
order by pg_class.oid;

-- name: unique_keys
-- The keys that identify a row of these relations, at any moment and for all rows: plain B-tree
-- indexes over columns, neither partial nor deferrable, of the columns' collations.
select
    pg_index.indrelid::bigint as relation,
    array(
        select key.number::integer
        from unnest(pg_index.indkey::int2[]) with ordinality as key (number, position)
        where
            key.position <= pg_index.indnkeyatts
            and key.number is not null
        order by key.position
    ) as columns,
    -- The equality operators of each column of the index, joined by commas.
    array(
        select
            coalesce((
                select string_agg(pg_amop.amopopr::bigint::text, ',' order by pg_amop.amopopr)
                from pg_opclass
                inner join pg_amop on pg_opclass.opcfamily = pg_amop.amopfamily
                where
                    pg_opclass.oid = key.class_oid
                    and pg_amop.amopstrategy = 3
            ), '')
        from unnest(pg_index.indclass::oid[]) with ordinality as key (class_oid, position)
        where key.position <= pg_index.indnkeyatts
        order by key.position
    ) as equalities
from pg_index
inner join pg_class as index_class on pg_index.indexrelid = index_class.oid
inner join pg_am on index_class.relam = pg_am.oid
inner join pg_class as table_class on pg_index.indrelid = table_class.oid
where
    pg_index.indrelid = any(:oids::oid[])
    and pg_am.amname = 'btree'
    and pg_index.indisunique
    and pg_index.indisvalid
    and pg_index.indimmediate
    and pg_index.indpred is null
    and pg_index.indexprs is null
    and not exists (
        select
        from unnest(pg_index.indkey::int2[], pg_index.indcollation::oid[])
            with ordinality as key (number, collation_oid, position)
        inner join pg_attribute
            on
                pg_index.indrelid = pg_attribute.attrelid
                and key.number = pg_attribute.attnum
        where
            key.position <= pg_index.indnkeyatts
            and key.collation_oid <> pg_attribute.attcollation
    )
    -- A key of a parent does not cover its children, unless they are its partitions.
    and (
        table_class.relkind = 'p'
        or not exists (
            select
            from pg_inherits
            where pg_inherits.inhparent = pg_index.indrelid
        )
    )
order by pg_index.indrelid, pg_index.indexrelid;

-- name: types
-- Facts about types: whether PostgreSQL's own code reads and prints their values, whether a cast to
-- the type refuses NULL, as one to a domain NOT NULL does; and a domain's base type.
with recursive base (root, oid) as (
    select
        root.oid,
        root.oid
    from unnest(:oids::oid[]) as root (oid)
    union
    select
        base.root,
        pg_type.typbasetype
    from base
    inner join pg_type on base.oid = pg_type.oid
    where pg_type.typtype = 'd'
)

select
    pg_type.oid::bigint as oid,
    pg_type.typtype <> 'd'
    and pg_type.typinput < 16384
    and pg_type.typoutput < 16384 as built_in_text,
    exists(
        select 1
        from base
        inner join pg_type as link on base.oid = link.oid
        where
            base.root = pg_type.oid
            and link.typnotnull
    ) as cast_refuses_null,
    format_type(
        (
            select base.oid
            from base
            inner join pg_type as link on base.oid = link.oid
            where
                base.root = pg_type.oid
                and link.typtype <> 'd'
        ),
        null
    ) as "base_name!"  -- each domain stands on a type that is none
from pg_type
where pg_type.oid = any(:oids::oid[])
order by pg_type.oid;
