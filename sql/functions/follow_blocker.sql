-- Bound tasks (cancelled_with, compensates) end with their blocker, and come back with it.
--
--   A bound task that waits ends with its blocker. One that is in progress or in review goes on,
--   and ends if it comes back to wait: released, to be retried, lapsed.
--   What ended so is open again as soon as no blocker that it is bound to is dead: the blocker is
--   requeued, or the dependency removed. Deleting the blocker takes nothing up again.
--   What a person reopens or cancels stays so.
--
-- Each row is looked up by its key alone (lateral with offset 0): with a condition on the status
-- beside it, a plan made when few tasks were cancelled reads all of them at each step.
--
-- The functions look for tasks in one walk, each visited once, so that a chain of thousands
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
            select edge.task_id
            from task_dependencies as edge
            where
                edge.depends_on_id = blocker.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
                and is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
            offset 0
        ) as edge
        cross join lateral (
            select
                task.id,
                task.status
            from tasks as task
            where task.id = edge.task_id
            offset 0
        ) as dependent
        where blocker.id = of_task and dependent.status in ('pending', 'blocked')
        union
        -- Each edge of a bound task to a cancelled one is dead.
        select dependent.id
        from doomed
        cross join lateral (
            select edge.task_id
            from task_dependencies as edge
            where
                edge.depends_on_id = doomed.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
            offset 0
        ) as edge
        cross join lateral (
            select
                task.id,
                task.status
            from tasks as task
            where task.id = edge.task_id
            offset 0
        ) as dependent
        where dependent.status in ('pending', 'blocked')
    )

    select array_agg(doomed.id order by doomed.id)
    from doomed;
$$;

comment on function doomed_dependents(uuid) is
    'The tasks that have not begun and end with this one, in the order of ids.';

-- The given tasks that ended with a blocker, and all that ended with them, but for those that a
-- dead blocker holds.
create function revived_tasks(given_ids uuid[])
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
        select task.id
        from unnest(given_ids) as given (id)
        cross join lateral (
            select
                other.id,
                other.status,
                other.status_seq
            from tasks as other
            where other.id = given.id
            offset 0
        ) as task
        cross join lateral (
            select history.automatic
            from task_history as history
            where history.task_id = task.id and history.seq = task.status_seq
            offset 0
        ) as entry
        where task.status = 'cancelled' and entry.automatic
        union
        select dependent.id
        from candidate
        cross join lateral (
            select edge.task_id
            from task_dependencies as edge
            where
                edge.depends_on_id = candidate.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
            offset 0
        ) as edge
        cross join lateral (
            select
                task.id,
                task.status,
                task.status_seq
            from tasks as task
            where task.id = edge.task_id
            offset 0
        ) as dependent
        cross join lateral (
            select history.automatic
            from task_history as history
            where history.task_id = dependent.id and history.seq = dependent.status_seq
            offset 0
        ) as entry
        where dependent.status = 'cancelled' and entry.automatic
    ),

    held (id) as (
        select candidate.id
        from candidate
        cross join lateral (
            select
                edge.depends_on_id,
                edge.dependency_type
            from task_dependencies as edge
            where
                edge.task_id = candidate.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
            offset 0
        ) as edge
        cross join lateral (
            select
                task.id,
                task.status,
                task.completed_at
            from tasks as task
            where task.id = edge.depends_on_id
            offset 0
        ) as blocker
        where
            is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
            and blocker.id not in (select other.id from candidate as other)
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

comment on function revived_tasks(uuid[]) is
    'The tasks among these and behind them that no dead blocker holds, in the order of ids.';

-- Takes tasks up again that ended with a blocker, and what ended with them.
create function take_up_again(given_ids uuid[], note text)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    ids uuid[] := revived_tasks(given_ids);
begin
    if ids is not null then
        perform from tasks as task where task.id = any(ids) order by task.id for no key update;
        ids := revived_tasks(given_ids);
        update tasks as task
        set
            status = 'pending',
            status_seq = 0,
            status_agent = 'taskdb',
            status_note = note,
            status_forced = true
        where task.id = any(ids);
    end if;
end;
$$;

comment on function take_up_again(uuid[], text) is
    'Takes up tasks again that ended with a blocker, unless a dead one holds them.';

-- Ends a task that has come back to wait, if it is bound to a dead blocker. A blocker that changes
-- at this moment has written this task's row, or waits for it and looks then.
create function end_with_blocker(of_task uuid)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    blocker_key text;
begin
    select min(blocker.key)
    into blocker_key
    from task_dependencies as edge
    cross join lateral (
        select task.key
        from tasks as task
        where
            task.id = edge.depends_on_id
            and is_dead(edge.dependency_type, task.status, task.completed_at)
        offset 0
    ) as blocker
    where edge.task_id = of_task and edge.dependency_type in ('cancelled_with', 'compensates');
    if blocker_key is not null then
        perform cancel_with_blocker(array[of_task], blocker_key);
    end if;
end;
$$;

comment on function end_with_blocker(uuid) is
    'Cancels a task that has come back to wait and is bound to a dead blocker.';

-- Cancels tasks with their blocker, if they have not begun meanwhile.
create function cancel_with_blocker(ids uuid[], blocker_key text)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update tasks as task
    set
        status = 'cancelled',
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = blocker_key,
        -- A team may forbid the transition to people.
        status_forced = not exists (
            select from task_status_transitions as allowed
            where allowed.old_status = task.status and allowed.new_status = 'cancelled'
        )
    where
        task.id = any(ids)
        and task.status not in (
            'in_progress', 'in_review', 'completed', 'failed', 'cancelled', 'archived'
        );
end;
$$;

comment on function cancel_with_blocker(uuid[], text) is
    'Cancels those of these tasks that have not begun.';

-- Called with the blocker's row written. Rows are locked first, and looked for again by a
-- statement, and so with a snapshot, of its own: what was claimed meanwhile goes on, and so does
-- what waits for it. An edge that is added meanwhile has written its blocker's row, and the trigger
-- of that row looks again.
--
-- A cancelled task is open again if all of its blockers allow it, and one in progress ends when it
-- comes back to wait, if one of them is dead; other transactions may be changing these. So each
-- change of a blocker locks the tasks bound to it, and writes those that are cancelled or in
-- progress, even if they stay so: there two changes meet, and the later one sees the earlier,
-- or fails with 40001. tests/races/test_bound_races.py
create function follow_blocker(of_task uuid, blocker_key text)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    bound uuid[];
    ids uuid[];
begin
    select array_agg(edge.task_id order by edge.task_id) into bound
    from task_dependencies as edge
    where
        edge.depends_on_id = of_task
        and edge.dependency_type in ('cancelled_with', 'compensates');
    perform
    from unnest(bound) as given (id)
    cross join lateral (
        select
        from tasks as task
        where
            task.id = given.id
            -- Not as a list of those wanted, for which there is an index.
            and task.status not in ('completed', 'failed', 'archived')
        for no key update
        offset 0
    ) as task;

    ids := doomed_dependents(of_task);
    if ids is not null then
        perform from tasks as task where task.id = any(ids) order by task.id for no key update;
        ids := doomed_dependents(of_task);
        perform cancel_with_blocker(ids, blocker_key);
    end if;

    -- A change of this column fires no trigger. What this transaction has written is left out.
    update tasks as task
    set has_dependents = task.has_dependents
    from unnest(bound) as given (id)
    cross join lateral (
        select other.ctid as place, other.status, age(other.xmin) as age
        from tasks as other
        where other.id = given.id
        offset 0
    ) as found
    where
        task.ctid = found.place
        and found.status in ('cancelled', 'in_progress', 'in_review')
        and found.age <> 0;

    select array_agg(edge.task_id)
    into ids
    from task_dependencies as edge
    cross join lateral (
        select from tasks as task
        where
            task.id = of_task
            and not is_dead(edge.dependency_type, task.status, task.completed_at)
        offset 0
    ) as blocker
    where
        edge.depends_on_id = of_task
        and edge.dependency_type in ('cancelled_with', 'compensates');
    if ids is not null then
        perform take_up_again(ids, blocker_key);
    end if;
end;
$$;

comment on function follow_blocker(uuid, text) is
    'Cancels the tasks that end with this one, or takes them up again with it.';
