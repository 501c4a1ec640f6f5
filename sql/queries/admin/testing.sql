-- Databases and time of a test run: taskdb.testing calls these, and no service does.

-- name: own_rights
-- The current role, and its rights to do everything and to create databases.
select
    role.rolname as name,
    role.rolsuper as is_superuser,
    role.rolcreatedb as may_create_databases
from pg_roles as role
where role.rolname = current_user
limit 1;

-- name: wait_for_lock
-- Waits for the lock of this name; the session keeps it.
select pg_advisory_lock(hashtext(:name)) is not null as is_held;

-- name: list_databases
-- Databases by the beginning of their names.
select database.datname
from pg_database as database
where starts_with(database.datname, :prefix)
order by database.datname;

-- name: vacuum
-- Takes the rows of rolled-back tests out of all tables.
vacuum;

-- name: lapse_leases
-- Ends every lease, or those of :agent: the next claim may take their tasks.
--
-- plan: allow full-scan: a test's plan is small
update tasks as task
set lease_expires_at = now() - interval '1 second'
where
    task.claim_agent is not null
    and task.claim_agent = :agent;  -- if :agent

-- name: pass_time
-- Moves the ends of leases, schedules, retries of steps and checks of external dependencies by
-- :span towards the past.
--
-- plan: allow full-scan: a test's plan is small
with step as (
    update execution_steps as retrying
    set retry_at = retrying.retry_at - :span::interval
    where retrying.retry_at is not null
),

external as (
    update external_dependencies as checked
    set next_check_at = checked.next_check_at - :span::interval
)

update tasks as task
set
    lease_expires_at = task.lease_expires_at - :span::interval,
    scheduled_at = task.scheduled_at - :span::interval
where task.lease_expires_at is not null or task.scheduled_at is not null;
