-- Extensions that a database may have beside those it must.

-- name: schema_of
-- Where the objects of this extension are.
select pg_namespace.nspname::text as name
from pg_extension
inner join pg_namespace on pg_extension.extnamespace = pg_namespace.oid
where pg_extension.extname = :extension;
