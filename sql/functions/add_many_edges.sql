-- Does for many edges what add_edges does for one: each end is read once and written once, and the
-- edges are visited once, in memory, from the highest rank down. In that order a task's priority is
-- final before its blockers inherit it.
--
-- A load computes itself what the edges make of its new tasks, and nobody else sees these yet. They
-- are written only where a dependent is more urgent than it knew; the rest is verified when their
-- second rows come (verify_precomputed).
--
-- waiting[i] depends on awaited[i]. Tasks are looked up by id one by one (lateral with offset 0),
-- and written by ctid: a plan made for two edges, or from statistics of another load, must do for a
-- million.
create function add_many_edges(
    waiting uuid[], awaited uuid[], types dependency_type[], satisfied boolean[]
)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_bitmapscan = off
    set enable_material = off
    set enable_memoize = off
    set jit = off
as $$
declare
    ends uuid[];
    -- The ends, from the highest rank down, and their columns.
    ids uuid[];
    keys text[];
    ranks bigint[];
    old_priorities int[];
    priorities int[];
    is_active boolean[];
    satisfies_requires boolean[];
    satisfies_blocks boolean[];
    satisfies_compensates boolean[];
    has_dependents boolean[];
    is_precomputed boolean[];
    is_awaited boolean[];
    is_waiting boolean[];
    opened int[];
    blocker_keys text[];
    -- The edges, by the position of their tasks; number is the edge's place in the arguments.
    waiters int[];
    blockers int[];
    numbers int[];
    n int;
    m int;
    e int;
    wrong_waiting uuid[];
    wrong_awaited uuid[];
    wrong_count int;
    -- Edges whose is_satisfied has to change.
    changed_waiting uuid[];
    changed_awaited uuid[];
    changed_to boolean[];
    changed_waiters int[];
    changes int[];
    changed_count int;
    now_satisfied boolean;
    lower uuid[];
    lower_priorities int[];
begin
    select array_agg(distinct task_end.id)
    into ends
    from unnest(waiting || awaited, types || types) as task_end (id, dependency_type)
    where task_end.dependency_type <> 'suggests';

    loop
        -- A locked row is read in its current state, whatever the snapshot. Only its own columns
        -- are read.
        select
            array_agg(task.id),
            array_agg(task.key),
            array_agg(task.graph_rank),
            array_agg(task.effective_priority),
            array_agg(task.is_active),
            array_agg(task.satisfies_requires),
            array_agg(task.satisfies_blocks),
            array_agg(task.satisfies_compensates),
            array_agg(task.has_dependents),
            array_agg(task.is_precomputed)
        into
            ids, keys, ranks, old_priorities, is_active,
            satisfies_requires, satisfies_blocks, satisfies_compensates,
            has_dependents, is_precomputed
        from (
            select found.*
            from unnest(ends) as given (id)
            cross join lateral (
                select
                    other.id,
                    other.key,
                    other.graph_rank,
                    other.effective_priority::int as effective_priority,
                    is_active(other.status, other.completed_at) as is_active,
                    is_satisfied('requires', other.status, other.completed_at)
                        as satisfies_requires,
                    is_satisfied('blocks', other.status, other.completed_at) as satisfies_blocks,
                    is_satisfied('compensates', other.status, other.completed_at)
                        as satisfies_compensates,
                    other.has_dependents,
                    is_precomputed(
                        other.details_follow, other.open_dependencies, other.has_dependents
                    )
                    and (
                        select true from task_details as details where details.task_id = other.id
                    ) is null
                        as is_precomputed
                from tasks as other
                where other.id = given.id
                for no key update
                offset 0
            ) as found
            order by found.graph_rank desc
        ) as task;
        select edge.waiters, edge.blockers, edge.numbers
        into waiters, blockers, numbers
        from edges_by_position(waiting, awaited, types, ids) as edge;

        priorities := old_priorities;
        opened := array_fill(0, array[coalesce(cardinality(ids), 0)]);
        is_awaited := array_fill(false, array[coalesce(cardinality(ids), 0)]);
        is_waiting := is_awaited;
        blocker_keys := array_fill(null::text, array[coalesce(cardinality(ids), 0)]);
        wrong_waiting := null;
        wrong_awaited := null;
        wrong_count := 0;
        changed_waiting := null;
        changed_awaited := null;
        changed_to := null;
        changed_waiters := null;
        changed_count := 0;
        for i in 1..coalesce(cardinality(numbers), 0) loop
            n := waiters[i];
            m := blockers[i];
            e := numbers[i];
            if ranks[m] >= ranks[n] then
                wrong_count := wrong_count + 1;
                wrong_waiting[wrong_count] := ids[n];
                wrong_awaited[wrong_count] := ids[m];
            end if;
            is_awaited[m] := true;
            is_waiting[n] := true;
            if priorities[n] < priorities[m] and is_active[n] then
                priorities[m] := priorities[n];
            end if;
            now_satisfied := case types[e]
                when 'blocks' then satisfies_blocks[m]
                when 'compensates' then satisfies_compensates[m]
                else satisfies_requires[m]
            end;
            if not satisfied[e] then
                opened[n] := opened[n] + 1;
            end if;
            if not now_satisfied and (blocker_keys[n] is null or keys[m] < blocker_keys[n]) then
                blocker_keys[n] := keys[m];
            end if;
            if now_satisfied <> satisfied[e] then
                changed_count := changed_count + 1;
                changed_waiting[changed_count] := waiting[e];
                changed_awaited[changed_count] := awaited[e];
                changed_to[changed_count] := now_satisfied;
                changed_waiters[changed_count] := n;
            end if;
        end loop;
        exit when wrong_count = 0;
        perform task_graph_repair(wrong_waiting, wrong_awaited);
    end loop;

    if 'suggests' = any(types) then
        for i in 1..cardinality(types) loop
            if types[i] = 'suggests' then
                changed_count := changed_count + 1;
                changed_waiting[changed_count] := waiting[i];
                changed_awaited[changed_count] := awaited[i];
                changed_to[changed_count] := true;
                changed_waiters[changed_count] := null;
            end if;
        end loop;
    end if;
    if changed_count > 0 then
        with edge as (
            update task_dependencies as dependency
            set is_satisfied = stale.now_satisfied
            from (
                select found.place, change.now_satisfied, change.waiter
                from unnest(changed_waiting, changed_awaited, changed_to, changed_waiters)
                    as change (task_id, depends_on_id, now_satisfied, waiter)
                cross join lateral (
                    select other.ctid as place
                    from task_dependencies as other
                    where
                        other.task_id = change.task_id
                        and other.depends_on_id = change.depends_on_id
                        and other.is_satisfied <> change.now_satisfied
                    offset 0
                ) as found
            ) as stale
            where dependency.ctid = stale.place
            returning
                stale.waiter,
                case when stale.now_satisfied then -1 else 1 end as opened
        )

        select array_agg(edge.waiter), array_agg(edge.opened)
        into waiters, changes
        from edge
        where edge.waiter is not null;
        for i in 1..coalesce(cardinality(waiters), 0) loop
            n := waiters[i];
            opened[n] := opened[n] + changes[i];
        end loop;
    end if;
    if ids is null then
        return;
    end if;

    update tasks as task
    set
        open_dependencies = task.open_dependencies
            + case when change.is_precomputed then 0 else change.opened end,
        effective_priority = change.priority,
        has_dependents = task.has_dependents or change.is_awaited,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = change.blocker_key
    from (
        select given.*, found.place
        from
            unnest(
                ids,
                opened,
                priorities,
                old_priorities,
                blocker_keys,
                is_awaited,
                is_waiting,
                has_dependents,
                is_precomputed
            )
            as given (
                id,
                opened,
                priority,
                old_priority,
                blocker_key,
                is_awaited,
                is_waiting,
                has_dependents,
                is_precomputed
            )
        cross join lateral (
            select other.ctid as place from tasks as other where other.id = given.id offset 0
        ) as found
        where
            given.is_waiting
            and (
                given.is_precomputed is not true
                or given.priority < given.old_priority
                or (given.is_awaited and not given.has_dependents)
            )
    ) as change
    where task.ctid = change.place;
    update tasks as task
    set
        has_dependents = true,
        is_passed_on = true,
        effective_priority = change.priority
    from (
        select given.priority, found.place
        from
            unnest(
                ids, priorities, old_priorities, is_waiting, has_dependents, is_precomputed
            )
            as given (
                id, priority, old_priority, is_waiting, has_dependents, is_precomputed
            )
        cross join lateral (
            select other.ctid as place from tasks as other where other.id = given.id offset 0
        ) as found
        where
            not given.is_waiting
            and (
                given.is_precomputed is not true
                or given.priority < given.old_priority
                or not given.has_dependents
            )
    ) as change
    where task.ctid = change.place;

    -- The previous blockers of the ends inherit as well.
    select array_agg(blocker.id), array_agg(given.priority)
    into lower, lower_priorities
    from unnest(ids, old_priorities, priorities, is_active)
        as given (id, old_priority, priority, is_active)
    cross join lateral (
        select edge.depends_on_id
        from task_dependencies as edge
        where edge.task_id = given.id and edge.dependency_type <> 'suggests'
        offset 0
    ) as edge
    cross join lateral (
        select other.id
        from tasks as other
        where other.id = edge.depends_on_id and other.effective_priority > given.priority
        offset 0
    ) as blocker
    where given.is_active and given.priority < given.old_priority;
    if lower is not null then
        perform inherit_priority(lower, lower_priorities);
    end if;

    -- Tasks bound to one that has ended already end at once.
    if types && '{cancelled_with, compensates}' then
        perform follow_blocker(blocker.id, blocker.key)
        from (
            select distinct task.id, task.key
            from unnest(awaited, types) as edge (id, dependency_type)
            inner join tasks as task on task.id = edge.id
            where
                edge.dependency_type in ('cancelled_with', 'compensates')
                and is_dead(edge.dependency_type, task.status, task.completed_at)
        ) as blocker;
    end if;
end;
$$;

comment on function add_many_edges(uuid[], uuid[], dependency_type[], boolean[]) is
    'Counts new dependencies at their tasks, ranks them, and passes their priority on.';
