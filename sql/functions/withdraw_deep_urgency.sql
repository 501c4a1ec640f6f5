-- What withdraw_urgency does, for what lies deep: all that may have to change is found first, and
-- settled in memory. There is more of it than what changes in the end, and no step for each level.
--
-- How urgent they may stay, those say that wait for them: these are locked with them, in the
-- order of ids, and looked at again until all stands still. And all that was looked at is
-- written, even where nothing changes: there this meets a transaction with an older snapshot
-- that changes how urgent one of them is, and sees what it waits for as it no longer is.
-- (docs/decisions/0013; tests/test_races.py has the mutant.)
--
-- The most urgent are settled first, and what waits for a task before the task, as far as it
-- counts (Dijkstra, with a bucket for each of the ten priorities): linear in the tasks and
-- edges concerned.
create function withdraw_deep_urgency(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    unsettled uuid[];
    around uuid[];
    locked uuid[];
    old_urgencies int[];
    -- How urgent each may be, by all that is known so far.
    urgencies int[];
    -- The edges into these tasks: waiting[e] waits for awaited[e]; null: it is none of them.
    awaited int[];
    waiting_ids uuid[];
    demands int[];
    waiting int[];
    -- Those out of task n are first[n], next[first[n]] and so on.
    first int[];
    next int[];
    is_settled boolean[];
    stack int[];
    height int;
    n int;
    m int;
    e int;
begin
    loop
        select array_agg(task.id) into unsettled from borrowed_urgency(ids) as task;
        if unsettled is null then
            return;
        end if;
        select array_agg(distinct place.id order by place.id)
        into around
        from (
            select task.id
            from unnest(unsettled) as task (id)
            union all
            select edge.task_id
            from unnest(unsettled) as task (id)
            cross join lateral (
                select dependency.task_id
                from task_dependencies as dependency
                where
                    dependency.depends_on_id = task.id
                    and dependency.dependency_type <> 'suggests'
                offset 0
            ) as edge
        ) as place;
        exit when around = locked;
        perform 1
        from tasks as task
        where task.id = any(around)
        order by task.id
        for no key update;
        locked := around;
    end loop;

    select
        array_agg(task.effective_priority::int order by given.position),
        array_agg(task.priority::int order by given.position)
    into old_urgencies, urgencies
    from unnest(unsettled) with ordinality as given (id, position)
    cross join lateral (
        select other.priority, other.effective_priority
        from tasks as other
        where other.id = given.id
        offset 0
    ) as task;
    select array_agg(edge.awaited), array_agg(edge.waiting_id), array_agg(edge.urgency)
    into awaited, waiting_ids, demands
    from waiting_urgencies(unsettled) as edge;
    waiting := positions_of(waiting_ids, unsettled);

    first := array_fill(null::int, array[cardinality(unsettled)]);
    next := array_fill(null::int, array[coalesce(cardinality(awaited), 0)]);
    for i in 1..coalesce(cardinality(awaited), 0) loop
        n := awaited[i];
        m := waiting[i];
        if m is null then
            urgencies[n] := greatest(old_urgencies[n], least(urgencies[n], demands[i]));
        else
            next[i] := first[m];
            first[m] := i;
        end if;
    end loop;

    is_settled := array_fill(false, array[cardinality(unsettled)]);
    for level in 1..10 loop
        stack := null;
        height := 0;
        for i in 1..cardinality(unsettled) loop
            if urgencies[i] = level and not is_settled[i] then
                height := height + 1;
                stack[height] := i;
            end if;
        end loop;
        while height > 0 loop
            n := stack[height];
            height := height - 1;
            continue when is_settled[n];
            is_settled[n] := true;
            e := first[n];
            while e is not null loop
                m := awaited[e];
                -- Never more urgent than now.
                if greatest(old_urgencies[m], level) < urgencies[m] then
                    urgencies[m] := greatest(old_urgencies[m], level);
                    if urgencies[m] = level then
                        height := height + 1;
                        stack[height] := m;
                    end if;
                end if;
                e := next[e];
            end loop;
        end loop;
    end loop;

    for level in 1..10 loop
        update tasks as task
        set effective_priority = level
        where
            task.id = any(
                array(
                    select settled.id
                    from unnest(unsettled, urgencies) as settled (id, urgency)
                    where settled.urgency = level
                )
            );
    end loop;
    update tasks as task
    set effective_priority = task.effective_priority
    where task.id = any(array(select unnest(around) except all select unnest(unsettled)));
end;
$$;

comment on function withdraw_deep_urgency(uuid[]) is
    'Takes back the urgency of tasks, and of all that they wait for, at once.';
