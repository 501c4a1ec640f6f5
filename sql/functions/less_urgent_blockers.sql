-- Of *roots* and what they wait for, directly or not, the tasks that are less urgent than
-- *urgency*. A task that is as urgent already has passed that on, and one that was given up
-- passes nothing: the walk ends there. Each is visited once (union), and found by index, for
-- the reasons that task_graph_region has.
create function less_urgent_blockers(roots uuid[], urgency int)
    returns table (id uuid)
    language sql
    stable
    rows 100
    set search_path from current
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive late (id, is_wanted) as (
        select root.id, is_wanted(root.status, root.completed_at)
        from tasks as root
        where root.id = any(roots) and root.effective_priority > urgency
        union
        select blocker.id, blocker.is_wanted
        from late
        cross join lateral (
            select other.id, is_wanted(other.status, other.completed_at) as is_wanted
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.depends_on_id
            where
                edge.task_id = late.id
                and edge.dependency_type <> 'suggests'
                and other.effective_priority > urgency
            offset 0
        ) as blocker
        where late.is_wanted
    )

    select late.id
    from late;
$$;

comment on function less_urgent_blockers(uuid[], int) is
    'Those of these tasks, and of what they wait for, that are less urgent than that.';
