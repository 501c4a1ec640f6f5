-- The tasks that *roots* wait for, directly or not, down to a rank of *lowest*, roots
-- included. Each is visited once (union), and its blockers are found by index: the
-- lateral parts with offset 0 and the pinned settings leave the planner no other way,
-- since a join of whole tables per level costs minutes on a deep chain, and a join with tasks in
-- the wrong order, chosen from statistics of another plan, makes it quadratic.
create function task_graph_region(roots uuid[], lowest bigint)
    returns table (id uuid, graph_rank bigint)
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
    with recursive region (id, graph_rank) as (
        select task.id, task.graph_rank
        from unnest(roots) as root (id)
        cross join lateral (
            select other.id, other.graph_rank from tasks as other where other.id = root.id offset 0
        ) as task
        union
        select blocker.id, blocker.graph_rank
        from region
        cross join lateral (
            select dependency.depends_on_id
            from task_dependencies as dependency
            where dependency.task_id = region.id and dependency.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select other.id, other.graph_rank
            from tasks as other
            where other.id = edge.depends_on_id and other.graph_rank >= lowest
            offset 0
        ) as blocker
    )

    select region.id, region.graph_rank
    from region;
$$;

comment on function task_graph_region(uuid[], bigint) is
    'The blockers of these tasks, direct or indirect, down to a rank.';

-- The gating edges out of the listed tasks, in the order of the list.
create function task_graph_edges(listed uuid[])
    returns table (waiting int, blocker_id uuid, blocker_rank bigint)
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
    select task.position::int, blocker.id, blocker.graph_rank
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select dependency.depends_on_id
        from task_dependencies as dependency
        where dependency.task_id = task.id and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge
    cross join lateral (
        select other.id, other.graph_rank
        from tasks as other
        where other.id = edge.depends_on_id
        offset 0
    ) as blocker
    order by task.position;
$$;

comment on function task_graph_edges(uuid[]) is
    'The requires and blocks edges out of these tasks, with the ranks of their blockers.';
