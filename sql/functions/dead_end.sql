-- The key of a task for whose sake this one can never start, or null: it waits for that one,
-- directly or through others that have not begun, by a dependency that is dead. Each task is
-- visited once.
create function dead_end(of_task uuid)
    returns text
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
    with recursive waiting (id) as (
        select task.id
        from tasks as task
        where task.id = of_task and task.status in ('pending', 'blocked')
        union
        select blocker.id
        from waiting
        cross join lateral (
            select edge.depends_on_id
            from task_dependencies as edge
            where edge.task_id = waiting.id and not edge.is_satisfied
            offset 0
        ) as edge
        cross join lateral (
            select task.id, task.status
            from tasks as task
            where task.id = edge.depends_on_id
            offset 0
        ) as blocker
        where blocker.status in ('pending', 'blocked')
    )

    select min(blocker.key)
    from waiting
    cross join lateral (
        select task.key
        from task_dependencies as edge
        inner join tasks as task on task.id = edge.depends_on_id
        where
            edge.task_id = waiting.id
            and not edge.is_satisfied
            and is_dead(edge.dependency_type, task.status, task.completed_at)
        offset 0
    ) as blocker;
$$;

comment on function dead_end(uuid) is
    'The key of the task for whose sake this one can never start; null: it can.';
