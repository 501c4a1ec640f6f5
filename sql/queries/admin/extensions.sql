-- Optional extensions of a database.

-- name: schema_of
-- The schema of an extension's objects.
select pg_namespace.nspname::text as name
from pg_extension
inner join pg_namespace on pg_extension.extnamespace = pg_namespace.oid
where pg_extension.extname = :extension;
