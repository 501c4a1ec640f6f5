-- Databases that checks and test runs create for themselves, and roles of test runs. A name is a
-- prefix of two words, the server process of the creator, and random characters.

-- name: leftovers
-- Databases of this role whose creator is gone.
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

-- name: leftover_roles
-- Roles whose creator is gone, if this role may drop them.
select role.rolname
from pg_roles as role
inner join pg_roles as own on own.rolname = current_user
where
    own.rolsuper
    and starts_with(role.rolname, :prefix || '_')
    and not exists (
        select 1
        from pg_stat_activity
        where pg_stat_activity.pid::text = split_part(role.rolname, '_', 3)
    )
order by role.rolname;
