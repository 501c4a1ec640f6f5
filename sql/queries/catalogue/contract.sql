-- What the contract check asks of the catalogue.

-- name: types
-- What is known of types: of an array its element, of a domain what it stands on, of an enum
-- its labels.
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
    ) as labels
from pg_type
where pg_type.oid = any(:oids::oid[])
order by pg_type.oid;

-- name: copied_columns
-- The columns that a COPY into this relation may name, as the search path finds it.
select
    pg_attribute.attname::text as name,
    pg_attribute.atttypid::bigint as type_oid,
    pg_attribute.attnotnull as not_null
from pg_attribute
where
    pg_attribute.attrelid = to_regclass(:relation)
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
    and pg_attribute.attgenerated = ''
order by pg_attribute.attnum;
