-- The open tasks among these, and their open blockers, direct or indirect. Satisfied edges and
-- suggestions block nothing, so they are not followed.
--
-- Each task is visited once (union), and its blockers are found by index, as in
-- task_graph_region: a join of whole tables per level costs minutes on a deep chain.
create function open_task_region(roots uuid[])
    returns setof uuid
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
    with recursive region (id) as (
        select open.id
        from unnest(roots) as root (id)
        cross join lateral (
            select task.id
            from tasks as task
            where
                task.id = root.id
                and task.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as open
        union
        select blocker.id
        from region
        cross join lateral (
            select other.id
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.depends_on_id
            where
                edge.task_id = region.id
                and edge.dependency_type <> 'suggests'
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as blocker
    )

    select region.id
    from region;
$$;

comment on function open_task_region(uuid[]) is
    'The open tasks among these, and their open blockers, direct or indirect.';

-- The unsatisfied edges out of the listed tasks, in the order of the list. A dead edge can never be
-- satisfied: its blocker failed, or was abandoned under requires.
create function open_task_blockers(listed uuid[])
    returns table (waiting int, blocker_id uuid, dead boolean)
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
    select task.position::int, blocker.blocker_id, blocker.dead
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select
            other.id as blocker_id,
            other.status not in ('pending', 'blocked', 'in_progress', 'in_review') as dead
        from task_dependencies as edge
        inner join tasks as other on other.id = edge.depends_on_id
        where
            edge.task_id = task.id
            and not is_satisfied(edge.dependency_type, other.status, other.completed_at)
        offset 0
    ) as blocker
    order by task.position;
$$;

comment on function open_task_blockers(uuid[]) is
    'The unsatisfied dependencies of these tasks, by their place in the list.';
