-- The queues that claiming.py works off: filling taskdb's, and what each one's own tables say of
-- a run. The other two are filled through their own interfaces.

-- name: empty_taskdb
truncate tasks cascade;

-- name: fill_taskdb
insert into tasks (key, title)
select
    'JOB-' || n as key,
    'Do nothing' as title
from generate_series(1, :jobs::integer) as n;

-- name: vacuum_all
vacuum (analyze);

-- name: taskdb_done
-- From the first claim to the last completion.
select
    count(distinct claim.task_id) filter (where claim.outcome = 'completed') as jobs,
    extract(epoch from max(claim.ended_at) - min(claim.claimed_at))::float8 as seconds
from task_claims as claim;

-- name: empty_procrastinate
truncate public.procrastinate_jobs cascade;

-- name: procrastinate_done
select
    count(distinct event.job_id) filter (where event.type = 'succeeded') as jobs,
    extract(
        epoch from max(event.at) filter (where event.type = 'succeeded')
        - min(event.at) filter (where event.type = 'started')
    )::float8 as seconds
from public.procrastinate_events as event;

-- name: pgqueuer_done
select
    count(distinct entry.job_id) filter (where entry.status = 'successful') as jobs,
    extract(
        epoch from max(entry.created) filter (where entry.status = 'successful')
        - min(entry.created) filter (where entry.status = 'picked')
    )::float8 as seconds
from public.pgqueuer_log as entry;
