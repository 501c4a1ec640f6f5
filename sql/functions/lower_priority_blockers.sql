-- The tasks among *roots* and their blockers, direct or indirect, whose effective priority is less
-- urgent than *priority*. A task that is as urgent already has passed that on, and an abandoned one
-- passes nothing: the walk ends there. Each is visited once (union), and found by index, for the
-- reasons in task_graph_region.
create function lower_priority_blockers(roots uuid[], priority int)
    returns table (id uuid)
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive reached (id, is_active) as (
        select task.id, task.is_active
        from unnest(roots) as root (id)
        cross join lateral (
            select other.id, is_active(other.status, other.completed_at) as is_active
            from tasks as other
            where
                other.id = root.id
                and other.effective_priority > lower_priority_blockers.priority
            offset 0
        ) as task
        union
        select blocker.id, blocker.is_active
        from reached
        cross join lateral (
            select dependency.depends_on_id
            from task_dependencies as dependency
            where dependency.task_id = reached.id and dependency.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select other.id, is_active(other.status, other.completed_at) as is_active
            from tasks as other
            where
                other.id = edge.depends_on_id
                and other.effective_priority > lower_priority_blockers.priority
            offset 0
        ) as blocker
        where reached.is_active
    )

    select reached.id
    from reached;
$$;

comment on function lower_priority_blockers(uuid[], int) is
    'The tasks among these and their blockers that are less urgent than that.';
