-- Finds a cycle among the needs of a workflow's steps, in time linear in their number: steps are
-- removed as soon as all that they need are (Kahn 1962). Each step left needs another step left, so
-- following the needs must come back to one of them.
create function step_cycle(of_workflow uuid)
    returns text[]
    language plpgsql
    stable
    set search_path from current
as $$
declare
    steps uuid[];
    waiting int[];
    needed int[];
    first int[];
    still int[];
    taken int[] := '{}';
    following int[];
    seen int[] := '{}';
    at_step int := 1;
begin
    select array_agg(step.id order by step.id)
    into steps
    from workflow_steps as step
    where step.workflow_id = of_workflow;

    select
        positions_of(array_agg(need.step_id order by need.needs_id), steps),
        positions_of(array_agg(need.needs_id order by need.needs_id), steps)
    into waiting, needed
    from workflow_step_needs as need
    where need.workflow_id = of_workflow;
    if needed is null then
        return null;
    end if;

    -- The dependents of step n are waiting[first[n]] up to the start of the next step's.
    first := array_fill(0, array[cardinality(steps) + 1]);
    still := array_fill(0, array[cardinality(steps)]);
    for i in 1..cardinality(needed) loop
        first[needed[i] + 1] := first[needed[i] + 1] + 1;
        still[waiting[i]] := still[waiting[i]] + 1;
    end loop;
    first[1] := 1;
    for n in 1..cardinality(steps) loop
        first[n + 1] := first[n] + first[n + 1];
        if still[n] = 0 then
            taken := taken || n;
        end if;
    end loop;

    while at_step <= cardinality(taken) loop
        for i in first[taken[at_step]]..first[taken[at_step] + 1] - 1 loop
            still[waiting[i]] := still[waiting[i]] - 1;
            if still[waiting[i]] = 0 then
                taken := taken || waiting[i];
            end if;
        end loop;
        at_step := at_step + 1;
    end loop;
    if cardinality(taken) = cardinality(steps) then
        return null;
    end if;

    following := array_fill(0, array[cardinality(steps)]);
    for i in 1..cardinality(needed) loop
        if still[needed[i]] > 0 and still[waiting[i]] > 0 then
            following[waiting[i]] := needed[i];
            at_step := waiting[i];
        end if;
    end loop;
    while not at_step = any(seen) loop
        seen := seen || at_step;
        at_step := following[at_step];
    end loop;
    seen := seen[array_position(seen, at_step):] || at_step;
    return array(
        select step.key::text
        from unnest(seen) with ordinality as visit (n, place)
        inner join workflow_steps as step on step.id = steps[visit.n]
        order by visit.place
    );
end;
$$;

comment on function step_cycle(uuid) is
    'The keys of steps of a workflow that need each other in a cycle, the first one again at the '
    'end; null if there is no cycle.';
