-- The advisory lock under which the first slots of a concurrency key are made.
create function lock_of_key(of_key text)
    returns bigint
    language sql
    stable
    set search_path from current
as $$
    select hashtextextended(current_schema() || '.concurrency_slots.' || of_key, 0);
$$;

comment on function lock_of_key(text) is
    'The advisory lock under which the first slots of a concurrency key are made.';

-- Takes a free slot of a concurrency key for a task, and says whether it has one. Who calls it has
-- the task's row locked. It never waits: a slot that another transaction is changing is taken. A
-- slot is offered before it is taken (functions/offer_slots.sql).
--
-- It takes the first free one: that is also the one that the claim has just offered, and locked.
-- A transaction that has changed many slots searches from a random one on: from the first it would
-- read the entries of all that it has taken, for each further task again.
create function take_slot(for_task uuid, of_key text)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
as $$
declare
    found_slot int;
    moved_task uuid;
    from_slot int := 1;
begin
    if exists (
        select from concurrency_slots as own where own.task_id = for_task and own.key = of_key
    ) then
        return true;
    end if;
    loop
        if pg_stat_get_xact_tuples_updated('concurrency_slots'::regclass) > 40 then
            select ceil(random() * last.slot) into from_slot
            from concurrency_slots as last
            where last.key = of_key
            order by last.slot desc
            limit 1;
        end if;
        foreach from_slot in array array[from_slot] || array_remove(array[1], from_slot) loop
            select free.slot into found_slot
            from concurrency_slots as free
            where
                free.key = of_key
                and free.task_id is null
                and not free.is_surplus
                and not free.is_unseen
                and free.slot >= from_slot
            order by free.slot
            limit 1
            for no key update skip locked;
            exit when found;
            select free.slot into found_slot
            from concurrency_slots as free
            where
                free.key = of_key
                and free.task_id is null
                and not free.is_surplus
                and free.is_unseen
                and free.slot >= from_slot
            order by free.slot
            limit 1
            for update skip locked;
            if found then
                perform offer_to_tasks(of_key, 1);
                exit;
            end if;
        end loop;
        if found_slot is null then
            if
                exists (select from concurrency_slots as any_slot where any_slot.key = of_key)
                -- The first slot of a key is made without keeping another session waiting.
                or not pg_try_advisory_xact_lock(lock_of_key(of_key))
            then
                return false;
            end if;
            insert into concurrency_slots (key, slot, task_id)
            values (of_key, 1, for_task)
            on conflict do nothing;
            return found;
        end if;

        if not exists (
            select from concurrency_slots as surplus
            where surplus.key = of_key and surplus.is_surplus
        ) then
            update concurrency_slots as free
            set task_id = for_task, is_unseen = true
            where free.key = of_key and free.slot = found_slot;
            return true;
        end if;
        -- The limit was lowered: whoever holds a surplus slot moves into this one first.
        delete from concurrency_slots as surplus
        where
            surplus.key = of_key
            and surplus.slot = (
                select other.slot
                from concurrency_slots as other
                where other.key = of_key and other.is_surplus
                limit 1
                for update skip locked
            )
        returning surplus.task_id into moved_task;
        if not found then
            return false;
        end if;
        update concurrency_slots as free
        set task_id = moved_task, is_unseen = true
        where free.key = of_key and free.slot = found_slot;
    end loop;
end;
$$;

comment on function take_slot(uuid, text) is
    'Takes a free slot of a concurrency key for a task that goes into progress.';

-- Gives the slot of a task back. While the limit is lowered the task moves to another row: then the
-- first look finds the old row, deleted.
create function give_slot_back(of_task uuid)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    loop
        update concurrency_slots as slot
        set task_id = null, is_unseen = true
        where slot.task_id = of_task;
        exit when found
            or not exists (select from concurrency_slots as slot where slot.task_id = of_task);
    end loop;
    -- The agents that were passed over for this slot can be of any type.
    perform note_ready('');
end;
$$;

comment on function give_slot_back(uuid) is 'Gives the slot of a task back, if it has one.';

-- The tasks of a key are in another order, or one of them is gone: the next claim looks which of
-- them its free slots are for.
create function look_at_slots_again(of_key text)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update concurrency_slots as slot
    set is_unseen = true
    where slot.key = of_key and slot.task_id is null and not slot.is_unseen;
    if found then
        perform note_ready('');
    end if;
end;
$$;

comment on function look_at_slots_again(text) is
    'Has the next claim offer the free slots of a key again.';

-- Refuses to start a task, as its concurrency key has no free slot.
create function raise_full_key(task_key text, of_key text)
    returns void
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD007',
        message = format(
            'task %s cannot be in progress now: the concurrency key %s is held by %s',
            task_key,
            of_key,
            coalesce(
                (
                    select string_agg(task.key, ', ' order by task.key)
                    from concurrency_slots as slot
                    inner join tasks as task on task.id = slot.task_id
                    where slot.key = of_key
                ),
                'another transaction'
            )
        ),
        detail = 'TD007 concurrency_key: must have a free slot',
        hint = 'Wait until one of them is done, or raise the limit of the key.';
end;
$$;

comment on function raise_full_key(text, text) is 'Raises TD007 with the key and its holders.';
