-- The rows of reading.py, of 15 columns, as wide as a task's, three of them jsonb.

-- name: create_table
create table public.bench_tasks (
    id uuid primary key,
    key text not null unique,
    title text not null,
    description text,
    status text not null,
    priority integer not null,
    agent_type text,
    estimated_hours numeric,
    execution_order integer,
    requirements jsonb,
    context jsonb,
    metadata jsonb,
    created_by text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- name: fill_table
insert into public.bench_tasks
select
    gen_random_uuid() as id,
    'T-' || n as key,
    'Title of task ' || n as title,
    repeat('text ', 20) as description,
    case when n % 2 = 0 then 'pending' else 'completed' end as status,
    1 + n % 10 as priority,
    'developer' as agent_type,
    1.5 as estimated_hours,
    n as execution_order,
    '{"files": ["a.py", "b.py"], "done": false}'::jsonb as requirements,
    '{"branch": "main"}'::jsonb as context,
    '{"source": {"status": "todo"}}'::jsonb as metadata,
    'bench' as created_by,
    now() as created_at,
    now() as updated_at
from generate_series(1, :rows::integer) as n;

-- name: analyze_table
analyze public.bench_tasks;

-- name: get_by_key
select
    id,
    key,
    title,
    description,
    status,
    priority,
    agent_type,
    estimated_hours,
    execution_order,
    requirements,
    context,
    metadata,
    created_by,
    created_at,
    updated_at
from public.bench_tasks
where key = :key;

-- name: list_tasks
select
    id,
    key,
    title,
    description,
    status,
    priority,
    agent_type,
    estimated_hours,
    execution_order,
    requirements,
    context,
    metadata,
    created_by,
    created_at,
    updated_at
from public.bench_tasks
where
    true
    and status = :status            -- if :status
    and agent_type = :agent_type    -- if :agent_type
order by key
limit :limit;
