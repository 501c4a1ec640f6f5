-- 0003: the dependency graph and its guards.
-- Locks: share row exclusive on tasks, for milliseconds (foreign keys refer to it).
-- Check: select count(*) from task_dependencies;  -- expect 0
set local lock_timeout = '2s';

-- An edge: the task waits for another. One row a pair. requires and blocks gate, and
-- their graph has no cycle; suggests only tells. Edges are made and removed, never changed.
create table task_dependencies (
    task_id uuid not null,
    depends_on_id uuid not null,
    dependency_type shared.dependency_type not null default 'requires',
    created_by shared.name_text,
    created_at timestamptz not null default now(),
    primary key (task_id, depends_on_id),
    constraint task_dependencies_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_dependencies_depends_on_exists
        foreign key (depends_on_id) references tasks (id) on delete cascade
);

-- Serves queries/dependencies.sql: dependents_of, and the trigger that opens gates.
create index task_dependencies_by_blocker
    on task_dependencies (depends_on_id, dependency_type, task_id);

comment on table task_dependencies is 'task_id waits for depends_on_id.';
comment on column task_dependencies.dependency_type is
    'requires and blocks gate (see the type''s comment); suggests is advice.';

-- The tasks that *roots* wait for, directly or not, down to a rank of *lowest*, roots
-- included. Each is visited once (union), and its blockers are found by index: the
-- lateral parts with offset 0 and the pinned settings leave the planner no other way,
-- since a join of whole tables per level costs minutes on a deep chain.
create function task_graph_region(roots uuid[], lowest bigint)
    returns table (id uuid, graph_rank bigint)
    language sql
    stable
    rows 100
    set search_path from current
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive region (id, graph_rank) as (
        select root.id, root.graph_rank
        from tasks as root
        where root.id = any(roots)
        union
        select blocker.id, blocker.graph_rank
        from region
        cross join lateral (
            select other.id, other.graph_rank
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.depends_on_id
            where
                edge.task_id = region.id
                and edge.dependency_type <> 'suggests'
                and other.graph_rank >= lowest
            offset 0
        ) as blocker
    )

    select region.id, region.graph_rank
    from region;
$$;

comment on function task_graph_region(uuid[], bigint) is
    'What these tasks wait for, directly or not, down to a rank.';

-- The gating edges out of the listed tasks, in the order of the list.
create function task_graph_edges(listed uuid[])
    returns table (waiting int, blocker_id uuid, blocker_rank bigint)
    language sql
    stable
    rows 100
    set search_path from current
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    select task.position::int, blocker.id, blocker.graph_rank
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select other.id, other.graph_rank
        from task_dependencies as edge
        inner join tasks as other on other.id = edge.depends_on_id
        where edge.task_id = task.id and edge.dependency_type <> 'suggests'
        offset 0
    ) as blocker
    order by task.position;
$$;

comment on function task_graph_edges(uuid[]) is
    'The requires and blocks edges out of these tasks, with the ranks of their blockers.';

-- Mends the ranks after edges were added whose blocker does not rank below its dependent,
-- or refuses the edges with TD002 and the path of the loop that they close.
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

    -- Not needed for correctness: two repairs of one region would deadlock more often.
    perform pg_advisory_xact_lock(hashtextextended('taskdb graph ' || current_schema(), 0));

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
            perform 1
            from tasks as task
            where task.id = any(ids)
            order by task.id
            for no key update;
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

        -- Dependents first: when a task's turn comes, its ceiling is final.
        exhausted := false;
        done := 0;
        while done < tail loop
            done := done + 1;
            n := queue[done];
            if ranks[n] >= ceilings[n] then
                low := floors[n];
                for i in first[n]..first[n + 1] - 1 loop
                    -- (Null outside the region: floors[n] has those.)
                    if ranks[blockers[i]] < ceilings[n] then
                        low := greatest(low, ranks[blockers[i]]);
                    end if;
                end loop;
                -- Far below when nothing is in the way; else close above what is, so that
                -- the next tasks put under the same dependent find room in order.
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
        -- No room between two ranks: take in what lies below, at last everything.
        lowest := case attempt
            when 1 then lowest - 17179869184
            else -9223372036854775808
        end;
    end loop attempts;

    if done < size then
        -- Each task left over is waited for by another one left over. Following those
        -- who wait must come back to where it was: that is the loop.
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
        -- Followers wait for those before them: backwards, each waits for the next.
        select array_agg(task.key order by step.position desc)
        into path
        from unnest(walk) with ordinality as step (n, position)
        cross join lateral (
            select member.key from tasks as member where member.id = ids[step.n] offset 0
        ) as task;
        perform raise_circular_dependency(path);
    end if;

    for i in 1..size loop
        if ranks[i] <> old_ranks[i] then
            update tasks as task
            set graph_rank = ranks[i]
            where task.id = ids[i];
        end if;
    end loop;
end;
$$;

comment on function task_graph_repair(uuid[], uuid[]) is
    'Lowers ranks until blockers rank below their dependents again, or names the cycle.';

-- When a task begins or ceases to satisfy the dependencies on it, those that wait for it
-- count one open dependency less or more; settle_task does the rest.
--
-- Every change of a task's count writes its row, so two blockers that complete at once
-- meet there. An edge added meanwhile has written this task's row (see add_edges), so the
-- two can't miss each other; an edge removed meanwhile has written its dependent's row:
-- lock first, and read the edges in a statement, and so in a snapshot, of its own.
--
-- One less or more is right unless this very change was counted already, or the edge was
-- not yet: one statement can do both, in its CTEs, and add_edges may come before this or
-- after. So what this transaction has written is counted from scratch. (age tells that, and
-- now and then takes a younger transaction's row for its own: then it counts in vain.)
create function open_gates()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    gate record;
begin
    if
        is_satisfied('requires', old.status, old.completed_at)
        = is_satisfied('requires', new.status, new.completed_at)
        and is_satisfied('blocks', old.status, old.completed_at)
        = is_satisfied('blocks', new.status, new.completed_at)
    then
        return null;
    end if;

    select array_agg(edge.task_id)
    into waiting
    from task_dependencies as edge
    where edge.depends_on_id = new.id and edge.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform 1
    from tasks as task
    where task.id = any(waiting)
    order by task.id
    for no key update;

    for gate in
        select
            edge.task_id,
            is_satisfied(edge.dependency_type, old.status, old.completed_at)::int
            - is_satisfied(edge.dependency_type, new.status, new.completed_at)::int as change,
            age(edge.xmin) > 0 as counted
        from task_dependencies as edge
        where edge.depends_on_id = new.id and edge.dependency_type <> 'suggests'
    loop
        update tasks as task
        set
            open_dependencies = case
                when gate.counted and age(task.xmin) > 0
                    then task.open_dependencies + gate.change
                else (
                    select count(*)
                    from task_dependencies as edge
                    cross join lateral (
                        select other.status, other.completed_at
                        from tasks as other
                        where other.id = edge.depends_on_id
                        offset 0
                    ) as blocker
                    where
                        edge.task_id = task.id
                        and not is_satisfied(
                            edge.dependency_type, blocker.status, blocker.completed_at
                        )
                )
            end,
            status_agent = 'taskdb',
            status_note = new.key
        where task.id = gate.task_id and gate.change <> 0;
    end loop;
    return null;
end;
$$;

comment on function open_gates() is
    'Passes a change of a task''s status on to the tasks that wait for it.';

create trigger tasks_90_open_gates
    after update of status, completed_at on tasks
    for each row
    execute function open_gates();

-- An edge is made and removed, never changed: a change of its ends or its type would have
-- to do all that both do. And no task waits for itself.
create function refuse_changed_edge()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a dependency cannot be changed',
        detail = 'TD003 update',
        hint = 'Delete it and insert the other one in the same transaction.';
end;
$$;

comment on function refuse_changed_edge() is 'Refuses to change a dependency.';

create trigger task_dependencies_10_refuse_change
    before update on task_dependencies
    for each row
    when (
        (old.task_id, old.depends_on_id, old.dependency_type)
        is distinct from (new.task_id, new.depends_on_id, new.dependency_type)
    )
    execute function refuse_changed_edge();

create function refuse_edge_to_itself()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    perform raise_circular_dependency(
        (select array[task.key, task.key] from tasks as task where task.id = new.task_id)
    );
    return new;
end;
$$;

comment on function refuse_edge_to_itself() is 'Refuses a task that waits for itself.';

create trigger task_dependencies_10_refuse_itself
    before insert on task_dependencies
    for each row
    when (new.task_id = new.depends_on_id)
    execute function refuse_edge_to_itself();

create function refuse_truncated_edges()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from tasks) then
        raise exception using
            errcode = 'TD003',
            message = 'dependencies cannot be truncated, since their tasks count them',
            detail = 'TD003 truncate',
            hint = 'Delete them; "truncate tasks cascade" empties both.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_edges() is
    'Refuses to empty task_dependencies while there are tasks.';

create trigger task_dependencies_10_refuse_truncation
    after truncate on task_dependencies
    for each statement
    execute function refuse_truncated_edges();

-- New edges: their dependents count them, and the graph stays without a cycle.
--
-- Both ends of every gating edge are written, even where nothing changes in them. The
-- dependent's row is where this meets any other change of its count or rank; the
-- blocker's row is where it meets the blocker's own completion, reopening or lowering. A
-- lock without a write is not enough: released by the commit, it leaves no trace for a
-- REPEATABLE READ transaction with an older snapshot, which would then neither see the
-- edge nor fail. tests/test_races.py has the mutant.
--
-- Rows are locked in the order of ids, as everywhere; and what they hold is read in the
-- statements after that, which at READ COMMITTED have snapshots of their own.
--
-- Tasks are looked up by id one by one (lateral with offset 0): a plan made for one edge, or
-- from statistics older than a load, must do for a million.
create function add_edges()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    awaited uuid[];
    wrong_waiting uuid[];
    wrong_awaited uuid[];
begin
    select array_agg(added.task_id), array_agg(added.depends_on_id)
    into waiting, awaited
    from added
    where added.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform 1
    from tasks as task
    where task.id = any(waiting || awaited)
    order by task.id
    for no key update;

    update tasks as task
    set
        (open_dependencies, status_note) = (
            select count(*), min(blocker.key)
            from task_dependencies as edge
            cross join lateral (
                select other.key, other.status, other.completed_at
                from tasks as other
                where other.id = edge.depends_on_id
                offset 0
            ) as blocker
            where
                edge.task_id = task.id
                and not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
        ),
        status_agent = 'taskdb'
    where task.id = any(waiting || awaited);

    select array_agg(edge.task_id), array_agg(edge.blocker_id)
    into wrong_waiting, wrong_awaited
    from unnest(waiting, awaited) as edge (task_id, blocker_id)
    cross join lateral (
        select task.graph_rank from tasks as task where task.id = edge.task_id offset 0
    ) as dependent
    cross join lateral (
        select task.graph_rank from tasks as task where task.id = edge.blocker_id offset 0
    ) as blocker
    where blocker.graph_rank >= dependent.graph_rank;

    if wrong_waiting is not null then
        perform task_graph_repair(wrong_waiting, wrong_awaited);
    end if;
    return null;
end;
$$;

comment on function add_edges() is
    'Counts new dependencies at their tasks, and refuses those that close a cycle.';

create trigger task_dependencies_50_add_edges
    after insert on task_dependencies
    referencing new table as added
    for each statement
    execute function add_edges();

-- Removed edges: their dependents count again, from scratch, since the blocker's row may be
-- gone as well. The dependent is written even if nothing changes in it: otherwise the
-- blocker, reopened by a transaction with an older snapshot, would count the edge it
-- still sees.
create function remove_edges()
    returns trigger
    language plpgsql
    set search_path from current
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    awaited uuid[];
    change record;
begin
    select array_agg(removed.task_id), array_agg(removed.depends_on_id)
    into waiting, awaited
    from removed
    where removed.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform 1
    from tasks as task
    where task.id = any(waiting)
    order by task.id
    for no key update;

    for change in
        select
            edge.task_id,
            coalesce(
                min(blocker.key) || ': dependency removed', 'a task it waited for was deleted'
            ) as note
        from unnest(waiting, awaited) as edge (task_id, blocker_id)
        left join lateral (
            select task.key from tasks as task where task.id = edge.blocker_id offset 0
        ) as blocker on true
        group by edge.task_id
    loop
        update tasks as task
        set
            open_dependencies = (
                select count(*)
                from task_dependencies as remaining
                cross join lateral (
                    select other.status, other.completed_at
                    from tasks as other
                    where other.id = remaining.depends_on_id
                    offset 0
                ) as blocker
                where
                    remaining.task_id = change.task_id
                    and not is_satisfied(
                        remaining.dependency_type, blocker.status, blocker.completed_at
                    )
            ),
            status_agent = 'taskdb',
            status_note = change.note
        where task.id = change.task_id;
    end loop;
    return null;
end;
$$;

comment on function remove_edges() is 'Counts the remaining dependencies of tasks that lost some.';

create trigger task_dependencies_50_remove_edges
    after delete on task_dependencies
    referencing old table as removed
    for each statement
    execute function remove_edges();
