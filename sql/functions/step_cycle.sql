-- Finds a cycle in a graph of nodes 1 to node_count, in time linear in their number: nodes are
-- removed as soon as all that they wait for are (Kahn 1962). Each node left waits for another node
-- left, so following the edges must come back to one of them. Edges are given by the positions of
-- their two ends, in the order of *needed*.
create function cycle_by_position(node_count int, waiting int[], needed int[])
    returns int[]
    language plpgsql
    immutable
    set search_path from current
as $$
declare
    first int[];
    still int[];
    taken int[] := '{}';
    following int[];
    seen int[] := '{}';
    at_node int := 1;
begin
    if needed is null then
        return null;
    end if;

    -- The dependents of node n are waiting[first[n]] up to the start of the next node's.
    first := array_fill(0, array[node_count + 1]);
    still := array_fill(0, array[node_count]);
    for i in 1..cardinality(needed) loop
        first[needed[i] + 1] := first[needed[i] + 1] + 1;
        still[waiting[i]] := still[waiting[i]] + 1;
    end loop;
    first[1] := 1;
    for n in 1..node_count loop
        first[n + 1] := first[n] + first[n + 1];
        if still[n] = 0 then
            taken := taken || n;
        end if;
    end loop;

    while at_node <= cardinality(taken) loop
        for i in first[taken[at_node]]..first[taken[at_node] + 1] - 1 loop
            still[waiting[i]] := still[waiting[i]] - 1;
            if still[waiting[i]] = 0 then
                taken := taken || waiting[i];
            end if;
        end loop;
        at_node := at_node + 1;
    end loop;
    if cardinality(taken) = node_count then
        return null;
    end if;

    following := array_fill(0, array[node_count]);
    for i in 1..cardinality(needed) loop
        if still[needed[i]] > 0 and still[waiting[i]] > 0 then
            following[waiting[i]] := needed[i];
            at_node := waiting[i];
        end if;
    end loop;
    while not at_node = any(seen) loop
        seen := seen || at_node;
        at_node := following[at_node];
    end loop;
    seen := seen[array_position(seen, at_node):] || at_node;
    return seen;
end;
$$;

comment on function cycle_by_position(int, int[], int[]) is
    'The positions of nodes that wait for each other in a cycle, the first one again at the end; '
    'null if there is no cycle.';

-- Finds a cycle among steps of workflows, in time linear in the number of needs. The steps are in
-- the order of their ids; with each one are all that need it, directly or not.
create function step_cycle(steps uuid[])
    returns text[]
    language plpgsql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    waiting int[];
    needed int[];
    seen int[];
begin
    select
        positions_of(array_agg(need.step_id order by need.needs_id), steps),
        positions_of(array_agg(need.needs_id order by need.needs_id), steps)
    into waiting, needed
    from unnest(steps) as listed (id)
    cross join lateral (
        select
            found.step_id,
            found.needs_id
        from workflow_steps as step
        inner join workflow_step_needs as found
            on found.workflow_id = step.workflow_id and found.needs_id = step.id
        where step.id = listed.id
        offset 0
    ) as need;
    seen := cycle_by_position(cardinality(steps), waiting, needed);
    if seen is null then
        return null;
    end if;
    return array(
        select step.key::text
        from unnest(seen) with ordinality as visit (n, place)
        inner join workflow_steps as step on step.id = steps[visit.n]
        order by visit.place
    );
end;
$$;

comment on function step_cycle(uuid[]) is
    'The keys of steps that need each other in a cycle, the first one again at the end; null if '
    'there is no cycle.';
