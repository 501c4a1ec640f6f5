-- Sets how many tasks of a concurrency key can be in progress at a time. Every slot is written, so
-- that a claim with an older snapshot meets the change. Lowering it revokes no claim: as long as
-- more are in progress than the new limit allows, none begins.
--
-- A set of endings gives slots back in the order of its tasks. So this waits for a slot with others
-- locked for a moment only, and lets all of them go; waits until each one has been free, with none
-- of the others locked, and begins again. That second wait lasts as long as it must: the server
-- finds a deadlock, by rows that its transaction locked before, from a wait that lasts.
create function set_concurrency_limit(of_key text, new_limit int)
    returns table (key text, at_most bigint, running bigint)
    language plpgsql
    rows 1
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    lock_timeout constant text := current_setting('lock_timeout');
    number int;
begin
    if new_limit is null or new_limit not between 1 and 1000 then
        perform raise_refusal('at_most', 'must be between 1 and 1000');
    end if;
    if not exists (select from concurrency_slots as slot where slot.key = of_key) then
        -- A claim that needs the first slot goes on to other tasks, until this commits. Whoever has
        -- the lock is not waited for: it may be anybody, and a claim's slot is waited for below.
        perform pg_try_advisory_xact_lock(lock_of_key(of_key));
    end if;
    loop
        begin
            perform set_config('lock_timeout', '50ms', true);
            perform
            from concurrency_slots as slot
            where slot.key = of_key
            order by slot.slot
            for update;
            perform set_config('lock_timeout', lock_timeout, true);
            exit;
        exception
            when lock_not_available then
                null;
        end;
        for number in
            select slot.slot from concurrency_slots as slot where slot.key = of_key
        loop
            begin
                perform
                from concurrency_slots as slot
                where slot.key = of_key and slot.slot = number
                for update;
                raise sqlstate 'TD000';
            exception
                when sqlstate 'TD000' then
                    null;  -- The lock is gone with what raised this.
            end;
        end loop;
    end loop;
    insert into concurrency_slots (key, slot)
    select of_key, number.slot
    from generate_series(1, new_limit) as number (slot)
    on conflict do nothing;
    delete from concurrency_slots as slot
    where slot.key = of_key and slot.task_id is null and slot.slot > new_limit;
    update concurrency_slots as slot
    set is_surplus = slot.slot > new_limit, is_unseen = true
    where slot.key = of_key;
    perform note_ready('');
    return query
    select used.key::text, used.at_most, used.running
    from concurrency_keys as used
    where used.key = of_key;
end;
$$;

comment on function set_concurrency_limit(text, int) is
    'Sets how many tasks of a concurrency key can be in progress at a time.';
