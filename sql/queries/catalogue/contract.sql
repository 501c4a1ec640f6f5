-- Catalogue queries of the contract check.

-- name: types
-- Facts about types: the element of an array, the base type of a domain, the labels of an enum, the
-- fields of a composite; whether a cast of its own makes JSON of it.
select
    pg_type.oid::bigint as oid,
    pg_type.oid::regtype::text as name,
    pg_type.typtype::text as kind,
    case when pg_type.typcategory = 'A' then pg_type.typelem::bigint else 0 end as element_oid,
    pg_type.typbasetype::bigint as base_oid,
    array(
        select pg_enum.enumlabel::text
        from pg_enum
        where pg_enum.enumtypid = pg_type.oid
        order by pg_enum.enumsortorder
    ) as labels,
    array(
        select pg_attribute.attname::text
        from pg_attribute
        where
            pg_attribute.attrelid = pg_type.typrelid
            and pg_attribute.attnum > 0
            and not pg_attribute.attisdropped
        order by pg_attribute.attnum
    ) as field_names,
    array(
        select pg_attribute.atttypid::bigint
        from pg_attribute
        where
            pg_attribute.attrelid = pg_type.typrelid
            and pg_attribute.attnum > 0
            and not pg_attribute.attisdropped
        order by pg_attribute.attnum
    ) as field_oids,
    exists(
        select 1
        from pg_cast
        where
            pg_cast.castsource = pg_type.oid
            and pg_cast.casttarget = 'json'::regtype
            and pg_type.oid >= 16384
    ) as casts_to_json
from pg_type
where pg_type.oid = any(:oids::oid[])
order by pg_type.oid;

-- name: copied_columns
-- The columns that a COPY into this relation may name, as the search path finds it.
select
    pg_attribute.attname::text as name,
    pg_attribute.atttypid::bigint as type_oid,
    pg_attribute.attnotnull as not_null,
    pg_attribute.attrelid::bigint as relation,
    pg_attribute.attnum::integer as number
from pg_attribute
where
    pg_attribute.attrelid = to_regclass(:relation)
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
    and pg_attribute.attgenerated = ''
order by pg_attribute.attnum;

-- name: named_types
-- The type, or the table's column, behind each of a package's names. A type's name may be empty,
-- and so may a column's.
select
    asked.number::integer as number,
    to_regtype(nullif(asked.type_name, ''))::oid::bigint as type_oid,
    pg_attribute.attrelid::bigint as relation,
    pg_attribute.attnum::integer as column_number
from
    unnest(:type_names::text[], :relations::text[], :columns::text[])
    with ordinality as asked (type_name, relation, column_name, number)
left join pg_attribute
    on
        pg_attribute.attrelid = to_regclass(nullif(asked.relation, ''))
        and pg_attribute.attname = asked.column_name
        and pg_attribute.attnum > 0
        and not pg_attribute.attisdropped
order by asked.number;

-- name: columns_of_types
-- The columns of tables that are of these types.
select
    pg_attribute.attrelid::bigint as relation,
    pg_attribute.attnum::integer as column_number,
    pg_attribute.atttypid::bigint as type_oid
from pg_attribute
where
    pg_attribute.atttypid = any(:oids::oid[])
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
order by pg_attribute.attrelid, pg_attribute.attnum;
