-- Catalogue queries of `taskdb.verify` and `taskdb check expectations`, beside the descriptions of
-- the statements.

-- name: search_path
-- The schemas whose tables need no schema before their name.
select path.name::text as name
from unnest(current_schemas(false)) as path (name)
where path.name is not null;

-- name: expected_types
-- The types of these names, as the search path finds them; with the labels of an enum, and the
-- fields of a composite and their types, in order.
select
    wanted.name,
    to_regtype(wanted.name)::oid::bigint as oid,
    to_json(
        array(
            select pg_enum.enumlabel::text
            from pg_enum
            where pg_enum.enumtypid = to_regtype(wanted.name)
            order by pg_enum.enumsortorder
        )
    ) as labels,
    to_json(
        array(
            select pg_attribute.attname || ' ' || pg_attribute.atttypid::regtype::text
            from pg_attribute
            inner join pg_type on pg_attribute.attrelid = pg_type.typrelid
            where
                pg_type.oid = to_regtype(wanted.name)
                and pg_attribute.attnum > 0
                and not pg_attribute.attisdropped
            order by pg_attribute.attnum
        )
    ) as fields
from unnest(:names::text[]) as wanted (name)
where wanted.name is not null;

-- name: missing_privileges
-- The privileges, of these, that the session's role lacks, one a relation and privilege; one on a
-- column is enough, since only execution checks which columns a statement touches.
select
    wanted.relation,
    wanted.privilege
from unnest(:relations::text[], :privileges::text[]) as wanted (relation, privilege)
where
    to_regclass(wanted.relation) is not null
    and not has_table_privilege(to_regclass(wanted.relation), wanted.privilege)
    and (
        wanted.privilege = 'delete'
        or not has_any_column_privilege(to_regclass(wanted.relation), wanted.privilege)
    );

-- name: nullable_columns
-- The columns of these relations that have no NOT NULL of their own.
select
    pg_attribute.attrelid::bigint as relation,
    pg_attribute.attnum::integer as number
from pg_attribute
where
    pg_attribute.attrelid = any(
        array(
            select to_regclass(wanted.name)::oid
            from unnest(:relations::text[]) as wanted (name)
        )
    )
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
    and not pg_attribute.attnotnull;

-- name: unique_indexes
-- The conflict targets of these relations: the columns or expressions of each unique index (or
-- exclusion constraint), in order of their text, and the condition of a partial one.
select
    wanted.name as relation,
    index_class.relname::text as index_name,
    concat(
        wanted.name,
        ' (',
        (
            select string_agg(key.text, ', ' order by key.text)
            from (
                select pg_get_indexdef(pg_index.indexrelid, number, false) as text
                from generate_series(1, pg_index.indnkeyatts) as number
            ) as key
        ),
        ')',
        ' where ' || pg_get_expr(pg_index.indpred, pg_index.indrelid)
    ) as definition
from unnest(:relations::text[]) as wanted (name)
inner join pg_index on pg_index.indrelid = to_regclass(wanted.name)
inner join pg_class as index_class on pg_index.indexrelid = index_class.oid
where
    (pg_index.indisunique or pg_index.indisexclusion)
    and pg_index.indisvalid
    and pg_index.indimmediate
    and wanted.name is not null;

-- name: copied_columns
-- The columns that a COPY into this relation may name.
select
    pg_attribute.attname::text as name,
    pg_attribute.atttypid::bigint as type_oid
from pg_attribute
where
    pg_attribute.attrelid = to_regclass(:relation)
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
    and pg_attribute.attgenerated = ''
order by pg_attribute.attnum;

-- name: type_names
-- The names of these types.
select
    pg_type.oid::bigint as oid,
    pg_type.oid::regtype::text as name
from pg_type
where pg_type.oid = any(:oids::oid[]);
