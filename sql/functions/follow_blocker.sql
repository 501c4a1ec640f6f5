-- Bound tasks (cancelled_with, compensates) end with their blocker, and come back with it.
--
-- The three functions look for tasks in one walk, each visited once, so that a chain of thousands
-- is ended by one statement: the trigger that each of its rows fires then finds nothing more to
-- do. Ended by the walk from a row at a time they would nest as deep as the chain is long.

-- Open tasks that have not begun and whose wait for a blocker, or for what ends with it, is dead.
create function doomed_dependents(of_task uuid)
    returns uuid[]
    language sql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive doomed (id) as (
        select dependent.id
        from tasks as blocker
        cross join lateral (
            select task.id
            from task_dependencies as edge
            inner join tasks as task on task.id = edge.task_id
            where
                edge.depends_on_id = blocker.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
                and is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
                and task.status in ('pending', 'blocked')
            offset 0
        ) as dependent
        where blocker.id = of_task
        union
        -- Each edge of a bound task to a cancelled one is dead.
        select dependent.id
        from doomed
        cross join lateral (
            select task.id
            from task_dependencies as edge
            inner join tasks as task on task.id = edge.task_id
            where
                edge.depends_on_id = doomed.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
                and task.status in ('pending', 'blocked')
            offset 0
        ) as dependent
    )

    select array_agg(doomed.id order by doomed.id)
    from doomed;
$$;

comment on function doomed_dependents(uuid) is
    'The tasks that have not begun and end with this one, in the order of ids.';

-- Tasks that ended with a blocker which is open again, but for those that another dead one holds.
create function revived_dependents(of_task uuid)
    returns uuid[]
    language sql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive candidate (id) as (
        select dependent.id
        from tasks as blocker
        cross join lateral (
            select task.id
            from task_dependencies as edge
            inner join tasks as task on task.id = edge.task_id
            inner join task_history as entry
                on entry.task_id = task.id and entry.seq = task.status_seq
            where
                edge.depends_on_id = blocker.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
                and not is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
                and task.status = 'cancelled'
                and entry.agent = 'taskdb'
            offset 0
        ) as dependent
        where blocker.id = of_task
        union
        select dependent.id
        from candidate
        cross join lateral (
            select task.id
            from task_dependencies as edge
            inner join tasks as task on task.id = edge.task_id
            inner join task_history as entry
                on entry.task_id = task.id and entry.seq = task.status_seq
            where
                edge.depends_on_id = candidate.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
                and task.status = 'cancelled'
                and entry.agent = 'taskdb'
            offset 0
        ) as dependent
    ),

    held (id) as (
        select candidate.id
        from candidate
        cross join lateral (
            select edge.depends_on_id
            from task_dependencies as edge
            inner join tasks as task on task.id = edge.depends_on_id
            where
                edge.task_id = candidate.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
                and is_dead(edge.dependency_type, task.status, task.completed_at)
            offset 0
        ) as blocker
        where blocker.depends_on_id not in (select other.id from candidate as other)
        union
        select dependent.task_id
        from held
        cross join lateral (
            select edge.task_id
            from task_dependencies as edge
            where
                edge.depends_on_id = held.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
            offset 0
        ) as dependent
    )

    select array_agg(candidate.id order by candidate.id)
    from candidate
    where candidate.id not in (select held.id from held);
$$;

comment on function revived_dependents(uuid) is
    'The tasks that ended with this one and are open again with it, in the order of ids.';

-- Called with the blocker's row written. Rows are locked first, and looked for again by a
-- statement, and so with a snapshot, of its own: what was claimed meanwhile goes on, and so does
-- what waits for it. An edge that is added meanwhile has written its blocker's row, and the trigger
-- of that row looks again.
create function follow_blocker(of_task uuid, blocker_key text)
    returns void
    language plpgsql
    set search_path from current
as $$
declare
    ids uuid[];
begin
    ids := doomed_dependents(of_task);
    if ids is not null then
        perform from tasks as task where task.id = any(ids) order by task.id for no key update;
        ids := doomed_dependents(of_task);
        update tasks as task
        set
            status = 'cancelled',
            status_agent = 'taskdb',
            status_note = blocker_key,
            -- A team may forbid the transition to people.
            status_forced = not exists (
                select from task_status_transitions as allowed
                where allowed.old_status = task.status and allowed.new_status = 'cancelled'
            )
        where task.id = any(ids);
    end if;

    ids := revived_dependents(of_task);
    if ids is not null then
        perform from tasks as task where task.id = any(ids) order by task.id for no key update;
        ids := revived_dependents(of_task);
        update tasks as task
        set
            status = 'pending',
            status_agent = 'taskdb',
            status_note = blocker_key,
            status_forced = true
        where task.id = any(ids);
    end if;
end;
$$;

comment on function follow_blocker(uuid, text) is
    'Cancels the tasks that end with this one, or takes them up again with it.';
