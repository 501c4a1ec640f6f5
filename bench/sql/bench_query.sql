-- What bench_query.py reads: rows as wide as a task's.

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
from bench_tasks
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
from bench_tasks
where
    true
    and status = :status            -- if :status
    and agent_type = :agent_type    -- if :agent_type
order by key
limit :limit;
