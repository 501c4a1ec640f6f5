-- Tasks whose concurrency key has no free slot are set aside, out of the index of ready tasks, so
-- that no claim reads a crowd of them. A slot that is given back is offered to the first of them,
-- in each lane: that one is in line again. Claims do both; whoever gives a slot back only marks
-- it.
--
-- A slot is taken once it was offered, so in each lane with waiting tasks there are at least as
-- many in line as there are free slots that were offered. Whatever leaves the line or changes its
-- order otherwise marks the free slots of its key again (look_at_slots_again).
--
-- No task may stay aside while a slot is free that no claim will look at again. Setting aside
-- reads that all slots are taken, and holds a KEY SHARE lock on each until it commits: that delays
-- nobody who gives one back. Offering takes the free slot FOR UPDATE, which such a lock refuses,
-- so it passes over a key where tasks are being set aside, and leaves the slot marked for the next
-- claim; and what it reads afterwards, by a statement of its own, is complete. Above READ
-- COMMITTED there is no newer snapshot: nothing is set aside there, and no mark cleared.

-- Sets tasks of a key aside, if it has no free slot: those among the next ready tasks behind this
-- one, it included.
create function set_aside(of_key text, from_task uuid)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
as $$
declare
    are_locked boolean;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        return;
    end if;
    with locked as (
        select slot.slot
        from concurrency_slots as slot
        where slot.key = of_key
        for key share skip locked
    )

    -- A key without slots is about to have one, or the transaction that makes it fails.
    select
        (select count(*) from locked)
        = (select nullif(count(*), 0) from concurrency_slots as slot where slot.key = of_key)
    into are_locked;
    if
        are_locked is not true
        or exists (
            select from concurrency_slots as slot
            where slot.key = of_key and slot.task_id is null and not slot.is_surplus
        )
    then
        return;
    end if;

    update tasks as task
    set waits_for_slot = true
    from (
        select other.id
        from tasks as met
        cross join lateral (
            select following.id, following.concurrency_key
            from tasks as following
            where
                following.is_ready
                and following.status = 'pending'
                and (
                    following.effective_priority, following.place, following.created_at,
                    following.id
                )
                >= (met.effective_priority, met.place, met.created_at, met.id)
            order by
                following.effective_priority, following.place, following.created_at, following.id
            limit 200
        ) as near
        cross join lateral (
            select task.id
            from tasks as task
            where task.id = near.id and task.is_ready is not false
            for no key update skip locked
        ) as other
        where met.id = from_task and near.concurrency_key = of_key
    ) as crowd
    where task.id = crowd.id and task.is_ready is not false;
end;
$$;

comment on function set_aside(text, uuid) is
    'Takes tasks out of line whose concurrency key has no free slot: the next in line.';

-- Puts tasks in line for free slots of their key, which are locked FOR UPDATE: the first *how_many*
-- of each lane. False if another transaction has one of them, or one has files, which can be locked
-- when it is met: then the slots stay marked, and the next claim puts others in line as well.
create function offer_to_tasks(of_key text, how_many int)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
as $$
declare
    are_offered boolean;
begin
    with recursive lane as (
        (
            select task.reserved_for, task.for_type
            from tasks as task
            where task.concurrency_key = of_key and task.waits_for_slot
            order by task.reserved_for, task.for_type
            limit 1
        )
        union all
        select following.reserved_for, following.for_type
        from lane
        cross join lateral (
            select task.reserved_for, task.for_type
            from tasks as task
            where
                task.concurrency_key = of_key
                and task.waits_for_slot
                and (task.reserved_for, task.for_type) > (lane.reserved_for, lane.for_type)
            order by task.reserved_for, task.for_type
            limit 1
        ) as following
    ),

    first_in_line as (
        select task.id
        from lane
        cross join lateral (
            select other.id
            from tasks as other
            where
                other.concurrency_key = of_key
                and other.waits_for_slot
                and other.reserved_for = lane.reserved_for
                and other.for_type = lane.for_type
            order by other.effective_priority, other.place, other.created_at, other.id
            limit how_many
        ) as task
    ),

    locked as (
        select task.id
        from tasks as task
        where task.id in (select waiting.id from first_in_line as waiting)
        for no key update skip locked
    ),

    offered as (
        update tasks as task
        set waits_for_slot = false
        from locked
        where task.id = locked.id and task.waits_for_slot
        returning task.has_files
    )

    select
        (select count(*) from first_in_line)
        = (select count(*) from offered where not offered.has_files)
    into are_offered;
    return are_offered;
end;
$$;

comment on function offer_to_tasks(text, int) is
    'Puts the first waiting tasks of each lane in line for free slots of their concurrency key.';

-- Offers up to so many free slots that no claim has offered yet, each to one task of a lane or to
-- *tasks_per_lane*. They are sorted once they are locked: claims are planned without sorts, at a
-- price for which 15 would compile the statement.
create function offer_slots(at_most int, tasks_per_lane int default 1)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = on
as $$
declare
    free record;
begin
    for free in
        select unseen.key, array_agg(unseen.slot) as slots
        from (
            select slot.key, slot.slot
            from concurrency_slots as slot
            where slot.task_id is null and slot.is_unseen
            order by slot.key, slot.slot
            limit at_most
            for update skip locked
        ) as unseen
        group by unseen.key
        order by unseen.key
    loop
        if
            offer_to_tasks(free.key, greatest(cardinality(free.slots), tasks_per_lane))
            and current_setting('transaction_isolation') = 'read committed'
        then
            update concurrency_slots as slot
            set is_unseen = false
            where slot.key = free.key and slot.slot = any(free.slots);
        end if;
    end loop;
end;
$$;

comment on function offer_slots(int, int) is
    'Offers free slots of concurrency keys to the tasks that wait for them, up to a number.';

-- Takes what a task needs besides its row: a slot of its concurrency key and its files. True: it
-- has them; false: a file is locked by another task; null: its key has no free slot.
create function take_needs(of_task uuid, of_key text, has_files boolean)
    returns boolean
    language plpgsql
    set search_path from current
as $$
begin
    if of_key is not null and not take_slot(of_task, of_key) then
        return null;
    end if;
    if has_files and not try_files(of_task) then
        if of_key is not null then
            perform give_slot_back(of_task);
        end if;
        return false;
    end if;
    return true;
end;
$$;

comment on function take_needs(uuid, text, boolean) is
    'Takes the slot and the files of a task that goes into progress, both or none.';
