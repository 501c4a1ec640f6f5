-- A task has begun or ceased to satisfy the dependencies on it: marks its edges so, and counts one
-- open dependency less or more at its dependents. apply_task_change does the rest.
--
-- A dependent counts exactly the edges with is_satisfied false, so none is counted twice, whatever
-- else the same statement does. Every change of a count writes the dependent's row: two blockers
-- that complete at once meet there. A concurrently added edge has written this task's row (see
-- add_edges), so the two cannot miss each other; a concurrently removed one has written its
-- dependent's row: lock first, and read the edges in a later statement, and so in a new snapshot.
--
-- A statement can complete thousands of blockers of one task, and comes here for each. So if this
-- transaction has already written a dependent, its next edges are handled too, and most calls for
-- its other blockers find nothing left to do. Not all its edges: a transaction that completes them
-- one by one would read all of them each time.
--
-- The statement that completes a blocker may have added the edge to it: then it is subtracted here
-- and added by add_edges, in either order. In between the count may be -1. age finds rows that this
-- transaction has written, and now and then a younger transaction's: then more edges are read.
--
-- Bound tasks follow their blocker in the end (follow_blocker).
create function unblock_dependents(of_task uuid)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    stale_waiting uuid[];
    stale_awaited uuid[];
    blocker_key text;
    are_bound boolean;
begin
    select
        array_agg(edge.task_id order by edge.task_id) filter (where edge.has_changed),
        min(blocker.key),
        bool_or(edge.is_bound)
    into waiting, blocker_key, are_bound
    from (
        select task.key, task.status, task.completed_at
        from tasks as task
        where task.id = of_task
        offset 0
    ) as blocker
    cross join lateral (
        select
            dependency.task_id,
            dependency.is_satisfied
            <> is_satisfied(dependency.dependency_type, blocker.status, blocker.completed_at)
            as has_changed,
            dependency.dependency_type in ('cancelled_with', 'compensates') as is_bound
        from task_dependencies as dependency
        where dependency.depends_on_id = of_task and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge
    where edge.has_changed or edge.is_bound;
    if waiting is null then
        perform follow_blocker(of_task, blocker_key) where are_bound;
        return;
    end if;

    perform
    from unnest(waiting) as given (id)
    cross join lateral (
        select from tasks as task where task.id = given.id for no key update offset 0
    ) as task;

    select array_agg(edge.task_id), array_agg(edge.depends_on_id)
    into stale_waiting, stale_awaited
    from unnest(waiting) as given (id)
    cross join lateral (
        select case when age(task.xmin) > 0 then 1 else 16 end as edge_count
        from tasks as task
        where task.id = given.id
        offset 0
    ) as dependent
    cross join lateral (
        select dependency.*
        from task_dependencies as dependency
        where dependency.task_id = given.id and dependency.depends_on_id >= of_task
        order by dependency.depends_on_id
        limit dependent.edge_count
    ) as edge
    cross join lateral (
        select
        from tasks as task
        where
            task.id = edge.depends_on_id
            and edge.dependency_type <> 'suggests'
            and edge.is_satisfied
            <> is_satisfied(edge.dependency_type, task.status, task.completed_at)
        offset 0
    ) as blocker;

    with edge as (
        update task_dependencies as dependency
        set is_satisfied = not dependency.is_satisfied
        from (
            select found.*
            from unnest(stale_waiting, stale_awaited) as given (task_id, depends_on_id)
            cross join lateral (
                select
                    other.ctid as place,
                    case when other.is_satisfied then 1 else -1 end as opened
                from task_dependencies as other
                where
                    other.task_id = given.task_id and other.depends_on_id = given.depends_on_id
                offset 0
            ) as found
        ) as stale
        where dependency.ctid = stale.place
        returning dependency.task_id, stale.opened
    )

    update tasks as task
    set
        open_dependencies = task.open_dependencies + change.opened,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = blocker_key
    from (
        select sum(edge.opened)::int as opened, dependent.place
        from edge
        cross join lateral (
            select other.ctid as place from tasks as other where other.id = edge.task_id offset 0
        ) as dependent
        group by dependent.place
    ) as change
    where task.ctid = change.place;
    if are_bound then
        perform follow_blocker(of_task, blocker_key);
    end if;
end;
$$;

comment on function unblock_dependents(uuid) is
    'Brings the dependencies on a task, and the counts of its dependents, up to date.';
