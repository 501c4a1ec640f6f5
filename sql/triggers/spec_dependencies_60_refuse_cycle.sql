-- The dependencies between specifications have no cycle: a statement that adds some has written
-- its guard (spec_dependencies_10_lock), and looks, in a statement and so at READ COMMITTED
-- in a snapshot of its own, at all that depend on those that wait now, each specification once. A
-- cycle would be among them; and a new specification has no dependents, however many it needs. The
-- error names the shortest one through a new dependency.
create function refuse_spec_cycle()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    new_waiting uuid[];
    new_awaited uuid[];
    reached uuid[];
    waiting uuid[];
    awaited uuid[];
    seen int[];
    back text[];
begin
    select array_agg(added.spec_id), array_agg(added.depends_on_id)
    into new_waiting, new_awaited
    from added;

    with recursive reachable as (
        select given.id from unnest(new_waiting) as given (id)
        union
        select edge.spec_id
        from reachable
        cross join lateral (
            select dependency.spec_id
            from spec_dependencies as dependency
            where dependency.depends_on_id = reachable.id
            offset 0
        ) as edge
    )

    select array_agg(reachable.id order by reachable.id) into reached from reachable;

    select
        array_agg(edge.spec_id order by edge.depends_on_id),
        array_agg(edge.depends_on_id order by edge.depends_on_id)
    into waiting, awaited
    from unnest(reached) as given (id)
    cross join lateral (
        select dependency.spec_id, dependency.depends_on_id
        from spec_dependencies as dependency
        where dependency.depends_on_id = given.id
        offset 0
    ) as edge;
    seen := cycle_by_position(
        cardinality(reached), positions_of(waiting, reached), positions_of(awaited, reached)
    );
    if seen is not null then
        select spec_path(edge.depends_on_id, edge.spec_id)
        into back
        from (
            select added.spec_id, added.depends_on_id
            from unnest(new_waiting, new_awaited) as added (spec_id, depends_on_id)
            inner join unnest(seen) with ordinality as visit (n, place)
                on added.spec_id = reached[visit.n]
            inner join unnest(seen) with ordinality as following (n, place)
                on following.place = visit.place + 1 and added.depends_on_id = reached[following.n]
            limit 1
        ) as edge;
        perform raise_circular_dependency(back[cardinality(back):] || back);
    end if;
    return null;
end;
$$;

comment on function refuse_spec_cycle() is
    'Refuses dependencies that close a cycle of specifications.';

create trigger spec_dependencies_60_refuse_cycle
    after insert on spec_dependencies
    referencing new table as added
    for each statement
    execute function refuse_spec_cycle();
