-- The number of open tasks that wait for this one, directly or not. Each is visited once; a
-- satisfied edge is not followed, so nothing waits for a completed task.
create function task_unblocks(blocker uuid)
    returns bigint
    language sql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive waiting (id, status, completed_at) as (
        select task.id, task.status, task.completed_at
        from tasks as task
        where task.id = blocker
        union
        select dependent.id, dependent.status, dependent.completed_at
        from waiting
        cross join lateral (
            select other.id, other.status, other.completed_at
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.task_id
            where
                edge.depends_on_id = waiting.id
                and not is_satisfied(edge.dependency_type, waiting.status, waiting.completed_at)
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as dependent
    )

    select count(*) - 1
    from waiting;
$$;

comment on function task_unblocks(uuid) is
    'The number of open tasks that wait for this one, directly or not: each counts once.';
