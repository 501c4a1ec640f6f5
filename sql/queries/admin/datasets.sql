-- Databases with generated data, which `taskdb check plans` keeps.

-- name: vacuum
-- Bring all tables into the state that autovacuum leaves them in, with new statistics.
vacuum (analyze);

-- name: list_datasets
-- The databases with generated data for the check, and whether anybody is connected.
select
    pg_database.datname::text as name,
    exists(
        select from pg_stat_activity
        where pg_stat_activity.datid = pg_database.oid
    ) as in_use
from pg_database
where
    starts_with(pg_database.datname, :prefix || '_')
    and pg_has_role(pg_database.datdba, 'usage')
order by pg_database.datname;
