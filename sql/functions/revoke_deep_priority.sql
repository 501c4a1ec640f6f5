-- Does what revoke_priority does, for deep graphs: all tasks that may have to change are found
-- first, and recomputed in memory. They are more than those that change in the end, but there is no
-- step for each level.
--
-- The dependents of tasks determine how urgent these remain: they are locked with them, in the
-- order of ids, and read again until nothing changes. All rows read are written, even unchanged:
-- there this meets a transaction with an older snapshot that changes the priority of one of them,
-- and still sees the old priority of its blockers. docs/decisions/0013-effective-priority.md;
-- tests/races/test_guards.py has the mutant.
--
-- The most urgent are final first, and dependents before their blockers where that matters
-- (Dijkstra, with a bucket for each of the ten priorities): linear in the tasks and edges
-- concerned.
create function revoke_deep_priority(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    undecided uuid[];
    around uuid[];
    locked uuid[];
    old_priorities int[];
    -- The priority of each, as far as it is known.
    priorities int[];
    -- The edges into these tasks: waiting[e] waits for awaited[e]; null: not one of them.
    awaited int[];
    waiting_ids uuid[];
    demands int[];
    waiting int[];
    -- The edges out of task n are first[n], next[first[n]] and so on.
    first int[];
    next int[];
    is_final boolean[];
    stack int[];
    height int;
    n int;
    m int;
    e int;
begin
    loop
        select array_agg(task.id) into undecided from inherited_priorities(ids) as task;
        if undecided is null then
            return;
        end if;
        select array_agg(distinct place.id order by place.id)
        into around
        from (
            select task.id
            from unnest(undecided) as task (id)
            union all
            select edge.task_id
            from unnest(undecided) as task (id)
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
        perform
        from unnest(around) as given (id)
        cross join lateral (
            select from tasks as task where task.id = given.id for no key update offset 0
        ) as task;
        locked := around;
    end loop;

    select
        array_agg(task.effective_priority::int order by given.position),
        array_agg(task.priority::int order by given.position)
    into old_priorities, priorities
    from unnest(undecided) with ordinality as given (id, position)
    cross join lateral (
        select other.priority, other.effective_priority
        from tasks as other
        where other.id = given.id
        offset 0
    ) as task;
    select array_agg(edge.awaited), array_agg(edge.waiting_id), array_agg(edge.effective_priority)
    into awaited, waiting_ids, demands
    from dependents_priorities(undecided) as edge;
    waiting := positions_of(waiting_ids, undecided);

    first := array_fill(null::int, array[cardinality(undecided)]);
    next := array_fill(null::int, array[coalesce(cardinality(awaited), 0)]);
    for i in 1..coalesce(cardinality(awaited), 0) loop
        n := awaited[i];
        m := waiting[i];
        if m is null then
            priorities[n] := greatest(old_priorities[n], least(priorities[n], demands[i]));
        else
            next[i] := first[m];
            first[m] := i;
        end if;
    end loop;

    is_final := array_fill(false, array[cardinality(undecided)]);
    for level in 1..10 loop
        stack := null;
        height := 0;
        for i in 1..cardinality(undecided) loop
            if priorities[i] = level and not is_final[i] then
                height := height + 1;
                stack[height] := i;
            end if;
        end loop;
        while height > 0 loop
            n := stack[height];
            height := height - 1;
            continue when is_final[n];
            is_final[n] := true;
            e := first[n];
            while e is not null loop
                m := awaited[e];
                -- Never more urgent than now.
                if greatest(old_priorities[m], level) < priorities[m] then
                    priorities[m] := greatest(old_priorities[m], level);
                    if priorities[m] = level then
                        height := height + 1;
                        stack[height] := m;
                    end if;
                end if;
                e := next[e];
            end loop;
        end loop;
    end loop;

    update tasks as task
    set effective_priority = change.priority
    from (
        select coalesce(given.priority, found.effective_priority) as priority, found.place
        from (
            select unnest(undecided) as id, unnest(priorities) as priority
            union all
            select unchanged.id, null
            from (select unnest(around) as id except all select unnest(undecided)) as unchanged
        ) as given
        cross join lateral (
            select
                other.ctid as place,
                other.effective_priority
            from tasks as other
            where other.id = given.id
            offset 0
        ) as found
    ) as change
    where task.ctid = change.place;
end;
$$;

comment on function revoke_deep_priority(uuid[]) is
    'Revokes inherited priority that nothing justifies, from tasks and all their blockers at once.';
