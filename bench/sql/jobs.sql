-- The same lease and completion in plain SQL: a table, an index in the order of the lease, a
-- token that fences completion. pgbench runs these statements as the ceiling.

-- name: create_jobs
create table public.bench_jobs (
    id uuid primary key default gen_random_uuid(),
    key text not null,
    title text not null,
    status text not null default 'pending',
    priority integer not null default 5,
    token bigint not null default 0,
    agent text,
    lease_expires_at timestamptz,
    completed_at timestamptz,
    number bigint not null
)
with (fillfactor = 70);

-- name: index_jobs
create index bench_jobs_to_lease
    on public.bench_jobs (priority, number)
    where status = 'pending';

-- name: empty_jobs
truncate public.bench_jobs;

-- name: fill_jobs
insert into public.bench_jobs (key, title, number)
select
    'JOB-' || n as key,
    'Do nothing' as title,
    n as number
from generate_series(1, :jobs::integer) as n;

-- name: jobs_done
select count(*) as done
from public.bench_jobs
where status = 'completed';

-- name: lease
update public.bench_jobs as job
set
    status = 'in_progress',
    agent = :agent,
    token = job.token + 1,
    lease_expires_at = now() + interval '15 minutes'
where
    job.id = (
        select next.id
        from public.bench_jobs as next
        where next.status = 'pending'
        order by next.priority, next.number
        limit 1
        for no key update skip locked
    )
returning job.id, job.token, job.key, job.title;

-- name: finish
update public.bench_jobs as job
set
    status = 'completed',
    completed_at = now()
where
    job.id = :id
    and job.token = :token
    and job.status = 'in_progress'
returning job.completed_at;

-- name: finish_and_lease
with done as (
    update public.bench_jobs as job
    set
        status = 'completed',
        completed_at = now()
    where
        job.id = :id
        and job.token = :token
        and job.status = 'in_progress'
    returning job.id
)

update public.bench_jobs as job
set
    status = 'in_progress',
    agent = :agent,
    token = job.token + 1,
    lease_expires_at = now() + interval '15 minutes'
where
    job.id = (
        select next.id
        from public.bench_jobs as next
        where next.status = 'pending'
        order by next.priority, next.number
        limit 1
        for no key update skip locked
    )
returning job.id, job.token, job.key, job.title;

-- name: lease_many
with leased as (
    update public.bench_jobs as job
    set
        status = 'in_progress',
        agent = :agent,
        token = job.token + 1,
        lease_expires_at = now() + interval '15 minutes'
    where
        job.id = any(array(
            select next.id
            from public.bench_jobs as next
            where next.status = 'pending'
            order by next.priority, next.number
            limit 100
            for no key update skip locked
        ))
    returning job.id, job.token
)

select
    coalesce(array_agg(leased.id), '{}') as ids,
    coalesce(array_agg(leased.token), '{}') as tokens
from leased;

-- name: finish_many
update public.bench_jobs as job
set
    status = 'completed',
    completed_at = now()
from unnest(:ids::uuid[], :tokens::bigint[]) as held (id, token)
where
    job.id = held.id
    and job.token = held.token
    and job.status = 'in_progress'
returning job.id;
