-- Databases that checks create for themselves.

-- name: leftovers
-- Scratch databases of this role whose creator is gone. A name is the prefix, the creator's server
-- process, and random characters.
select pg_database.datname
from pg_database
where
    starts_with(pg_database.datname, :prefix || '_')
    and pg_has_role(pg_database.datdba, 'usage')
    and not exists (
        select 1
        from pg_stat_activity
        where pg_stat_activity.pid::text = split_part(pg_database.datname, '_', 3)
    )
order by pg_database.datname;
