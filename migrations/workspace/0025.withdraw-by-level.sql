-- 0025: a statement that changes many priorities takes as long as what changes in the end.
-- Locks: none beyond new objects.
-- Check: select to_regprocedure('withdraw_deep_urgency(uuid[])') is not null;  -- expect t
set local lock_timeout = '2s';

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

-- Takes back what tasks owe to nobody any more: of *ids* and what they wait for, those that
-- are more urgent than their own priority and than all that wait for them.
--
-- A task that another one keeps as urgent as it is, stays so, and nothing below it is looked at.
-- So a statement that changes many tasks, and comes here for each, costs as much as what changes,
-- and not each time as much as all that lies below. What is deeper than 32 levels is settled at
-- once, since a step for each level is slow. (The keeper is looked for from the latest task on:
-- statements mostly change the oldest first, and those have ceased to keep anything.)
--
-- How urgent a task may stay, those say that wait for it: these are locked with it, or of a task
-- that stays as it is, the one that keeps it, in the order of ids, and looked at again until all
-- stands still. And they are written, even where nothing changes: there this meets a transaction
-- with an older snapshot that changes how urgent one of them is, and sees what it waits for as it
-- no longer is. (docs/decisions/0013; tests/test_races.py has the mutant.) What this transaction
-- has written already need not be written again: a row with a thousand versions is slow to find.
--
-- (Without sorts a keeper comes from the index by blocker, read backwards, and the first one ends
-- the search. Plans are kept, since a statement may come here for each of its rows.)
create or replace function withdraw_urgency(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set enable_seqscan = off
    set enable_sort = off
    set plan_cache_mode = force_generic_plan
as $$
declare
    given uuid[] := ids;
    loose uuid[];
    old_urgencies int[];
    keepers uuid[];
    around uuid[];
    locked uuid[];
begin
    for step in 1..32 loop
        locked := null;
        loop
            select
                array_agg(task.id) filter (where keeper.id is null),
                array_agg(task.urgency) filter (where keeper.id is null),
                array_agg(keeper.id) filter (where keeper.id is not null)
            into loose, old_urgencies, keepers
            from (select distinct unnest(given) as id) as place
            cross join lateral (
                select other.id, other.effective_priority::int as urgency
                from tasks as other
                where other.id = place.id and other.effective_priority < other.priority
                offset 0
            ) as task
            left join lateral (
                select dependent.id
                from task_dependencies as edge
                cross join lateral (
                    select other.id
                    from tasks as other
                    where
                        other.id = edge.task_id
                        and other.effective_priority <= task.urgency
                        and is_wanted(other.status, other.completed_at)
                    offset 0
                ) as dependent
                where edge.depends_on_id = task.id and edge.dependency_type <> 'suggests'
                order by edge.dependency_type desc, edge.task_id desc
                limit 1
            ) as keeper on true;
            if loose is null and keepers is null then
                return;
            end if;

            select array_agg(distinct place.id order by place.id)
            into around
            from (
                select unnest(loose || keepers) as id
                union all
                select edge.task_id
                from unnest(loose) as task (id)
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

        update tasks as task
        set effective_priority = task.effective_priority
        where
            task.id = any(array(select unnest(around) except all select unnest(loose)))
            and task.xmin <> pg_current_xact_id()::xid;
        if loose is null then
            return;
        end if;
        update tasks as task
        set
            effective_priority = least(
                task.priority,
                (
                    select min(dependent.effective_priority)
                    from task_dependencies as edge
                    cross join lateral (
                        select other.effective_priority
                        from tasks as other
                        where
                            other.id = edge.task_id
                            and is_wanted(other.status, other.completed_at)
                        offset 0
                    ) as dependent
                    where edge.depends_on_id = task.id and edge.dependency_type <> 'suggests'
                )
            )
        where task.id = any(loose);

        select array_agg(distinct blocker.id)
        into given
        from unnest(loose, old_urgencies) as task (id, urgency)
        cross join lateral (
            select edge.depends_on_id
            from task_dependencies as edge
            where edge.task_id = task.id and edge.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select other.id
            from tasks as other
            where
                other.id = edge.depends_on_id
                and other.effective_priority >= task.urgency
                and other.effective_priority < other.priority
            offset 0
        ) as blocker;
    end loop;

    perform withdraw_deep_urgency(given);
end;
$$;

comment on function withdraw_urgency(uuid[]) is
    'Takes back the urgency of tasks, and of what they wait for, that nothing gives them now.';
