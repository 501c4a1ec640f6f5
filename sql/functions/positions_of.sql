-- The position of each of the *wanted* ids in a list; null if it is not there. The planner cannot
-- estimate the lengths of lists, and a nested loop over two long ones never ends: so that plan is
-- disabled.
create function positions_of(wanted uuid[], listed uuid[])
    returns int[]
    language sql
    immutable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = on
    set enable_nestloop = off
as $$
    select array_agg(place.position::int order by wish.position)
    from unnest(wanted) with ordinality as wish (id, position)
    left join unnest(listed) with ordinality as place (id, position) on place.id = wish.id;
$$;

comment on function positions_of(uuid[], uuid[]) is
    'The positions of the first list''s ids in the second.';

-- The requires and blocks edges among the *listed* tasks: the positions of their two ends, and
-- their own in the arguments; in the order of the dependents.
create function edges_by_position(
    waiting uuid[], awaited uuid[], types dependency_type[], listed uuid[]
)
    returns table (waiters int[], blockers int[], numbers int[])
    language sql
    immutable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = on
    set enable_nestloop = off
as $$
    select
        array_agg(waiter.position::int order by waiter.position),
        array_agg(blocker.position::int order by waiter.position),
        array_agg(edge.position::int order by waiter.position)
    from unnest(waiting, awaited, types) with ordinality
        as edge (task_id, depends_on_id, dependency_type, position)
    inner join unnest(listed) with ordinality as waiter (id, position)
        on waiter.id = edge.task_id
    inner join unnest(listed) with ordinality as blocker (id, position)
        on blocker.id = edge.depends_on_id
    where edge.dependency_type <> 'suggests';
$$;

comment on function edges_by_position(uuid[], uuid[], dependency_type[], uuid[]) is
    'The positions in a list of the two ends of requires and blocks edges.';
