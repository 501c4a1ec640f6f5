-- Repairs the ranks after edges were added whose blocker does not rank below its dependent,
-- or refuses the edges with TD002 and the path of the cycle that they close.
--
-- The invariant: for each requires or blocks edge, rank[blocker] < rank[dependent]. It
-- implies that the graph has no cycle. Ranks of existing tasks are only ever lowered, so
-- only the edges *into a task's own blockers* can break when a task is lowered; whoever
-- adds such an edge writes that task's row, and so does this function: the two always
-- meet there, at every isolation level. docs/decisions/0001-dependency-graph.md tells the
-- whole argument, after D. J. Pearce and P. H. J. Kelly, "A dynamic topological sort
-- algorithm for directed acyclic graphs", ACM JEA 11, 2006.
--
-- waiting[i] depends on awaited[i]; all given edges break the invariant. The work is
-- linear in the tasks and edges between the ranks of the two sides.
create function task_graph_repair(waiting uuid[], awaited uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    lowest bigint;
    ceiling_ranks bigint[];
    roots uuid[];
    locked uuid[];
    -- The region: its tasks by id, their ranks before and after.
    ids uuid[];
    old_ranks bigint[];
    ranks bigint[];
    size int;
    -- Its edges as compressed rows: task n's blockers are those from first[n] up to, but
    -- not with, first[n + 1]; null where the blocker lies outside.
    waiters int[];
    blockers int[];
    blocker_ids uuid[];
    blocker_ranks bigint[];
    first int[];
    open_dependents int[];
    -- Task n must rank below ceilings[n], and above floors[n] (its blockers outside).
    ceilings bigint[];
    floors bigint[];
    queue int[];
    tail int;
    done int;
    n int;
    m int;
    low bigint;
    place bigint;
    exhausted boolean;
    follower int[];
    walk int[];
    seen boolean[];
    path text[];
begin
    select array_agg(task.graph_rank order by edge.position), min(task.graph_rank)
    into ceiling_ranks, lowest
    from unnest(waiting) with ordinality as edge (task_id, position)
    cross join lateral (
        select waiter.graph_rank from tasks as waiter where waiter.id = edge.task_id offset 0
    ) as task;
    select array_agg(distinct edge.id) into roots from unnest(awaited) as edge (id);

    -- Not needed for correctness: two repairs of one region would deadlock more often. It is the lock
    -- of a table that only the owner can lock, and nobody writes: anybody who may connect to the
    -- database could hold an advisory lock, and stop this.
    lock table task_status_transitions in share update exclusive mode;

    <<attempts>>
    for attempt in 1..3 loop
        -- Lock the region in the order of ids, and look again, until it stands still: only
        -- READ COMMITTED sees it move; at the higher levels the lock itself fails with 40001.
        locked := null;
        loop
            select
                array_agg(region.id order by region.id),
                array_agg(region.graph_rank order by region.id)
            into ids, old_ranks
            from task_graph_region(roots, lowest) as region;
            exit when ids = locked;
            perform
            from unnest(ids) as given (id)
            cross join lateral (
                select from tasks as task where task.id = given.id for no key update offset 0
            ) as task;
            locked := ids;
        end loop;
        size := cardinality(ids);
        ranks := old_ranks;

        select
            array_agg(edge.waiting), array_agg(edge.blocker_id), array_agg(edge.blocker_rank)
        into waiters, blocker_ids, blocker_ranks
        from task_graph_edges(ids) as edge;
        blockers := positions_of(blocker_ids, ids);

        ceilings := array_fill(null::bigint, array[size]);
        floors := ceilings;
        open_dependents := array_fill(0, array[size]);
        first := array_fill(1, array[size + 1]);
        for i in 1..coalesce(cardinality(waiters), 0) loop
            n := waiters[i];
            m := blockers[i];
            first[n + 1] := i + 1;
            if m is null then
                floors[n] := greatest(floors[n], blocker_ranks[i]);
            else
                open_dependents[m] := open_dependents[m] + 1;
            end if;
        end loop;
        queue := null;
        tail := 0;
        for i in 1..size loop
            first[i + 1] := greatest(first[i + 1], first[i]);
            if open_dependents[i] = 0 then
                tail := tail + 1;
                queue[tail] := i;
            end if;
        end loop;
        -- The given edges' blockers are the roots; their places come in the same order.
        walk := positions_of(awaited, ids);
        for i in 1..cardinality(waiting) loop
            m := walk[i];
            ceilings[m] := least(ceilings[m], ceiling_ranks[i]);
        end loop;

        -- Dependents first: a task's ceiling is final when it is visited.
        exhausted := false;
        done := 0;
        while done < tail loop
            done := done + 1;
            n := queue[done];
            if ranks[n] >= ceilings[n] then
                low := floors[n];
                for i in first[n]..first[n + 1] - 1 loop
                    -- Null outside the region: floors[n] covers those.
                    if ranks[blockers[i]] < ceilings[n] then
                        low := greatest(low, ranks[blockers[i]]);
                    end if;
                end loop;
                -- Far below when nothing is in the way; else close above the blockers, so that the
                -- next tasks put under the same dependent find room in order.
                place := case
                    when attempt > 1 then ceilings[n] - 16777216
                    when low is null then ceilings[n] - 1073741824
                    when ceilings[n] - low > 1 then low + greatest((ceilings[n] - low) / 16, 1)
                    else ceilings[n] - 1
                end;
                if place <= floors[n] then
                    exhausted := true;
                    exit;
                end if;
                ranks[n] := place;
            end if;
            for i in first[n]..first[n + 1] - 1 loop
                m := blockers[i];
                continue when m is null;
                ceilings[m] := least(ceilings[m], ranks[n]);
                open_dependents[m] := open_dependents[m] - 1;
                if open_dependents[m] = 0 then
                    tail := tail + 1;
                    queue[tail] := m;
                end if;
            end loop;
        end loop;
        exit attempts when not exhausted;
        -- No room between two ranks: include the tasks below, in the end all of them.
        lowest := case attempt
            when 1 then lowest - 17179869184
            else -9223372036854775808
        end;
    end loop attempts;

    if done < size then
        -- Each task left over is a blocker of another one left over. Following the dependents must
        -- come back to a task visited before: that is the cycle.
        for n in 1..size loop
            if open_dependents[n] > 0 then
                for i in first[n]..first[n + 1] - 1 loop
                    if blockers[i] is not null then
                        follower[blockers[i]] := n;
                    end if;
                end loop;
                m := n;
            end if;
        end loop;
        walk := null;
        tail := 0;
        while seen[m] is null loop
            seen[m] := true;
            m := follower[m];
        end loop;
        n := m;
        loop
            tail := tail + 1;
            walk[tail] := n;
            n := follower[n];
            exit when n = m;
        end loop;
        walk[tail + 1] := m;
        -- Dependents follow their blockers: backwards, each waits for the next.
        select array_agg(task.key order by step.position desc)
        into path
        from unnest(walk) with ordinality as step (n, position)
        cross join lateral (
            select member.key from tasks as member where member.id = ids[step.n] offset 0
        ) as task;
        perform raise_circular_dependency(path);
    end if;

    update tasks as task
    set graph_rank = change.graph_rank
    from (
        select given.graph_rank, found.place
        from unnest(ids, ranks, old_ranks) as given (id, graph_rank, old_rank)
        cross join lateral (
            select other.ctid as place from tasks as other where other.id = given.id offset 0
        ) as found
        where given.graph_rank <> given.old_rank
    ) as change
    where task.ctid = change.place;
end;
$$;

comment on function task_graph_repair(uuid[], uuid[]) is
    'Lowers ranks until blockers rank below their dependents again, or names the cycle.';
