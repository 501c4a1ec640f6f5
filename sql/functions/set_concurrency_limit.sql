-- Sets how many tasks of a concurrency key can be in progress at a time. Every slot is written, so
-- that a claim with an older snapshot meets the change. Lowering it revokes no claim: as long as
-- more are in progress than the new limit allows, none begins.
create function set_concurrency_limit(of_key text, new_limit int)
    returns table (key text, at_most bigint, running bigint)
    language plpgsql
    rows 1
    security definer
    set search_path from current
as $$
#variable_conflict use_column
begin
    if new_limit is null or new_limit not between 1 and 1000 then
        perform raise_refusal('at_most', 'must be between 1 and 1000');
    end if;
    perform
    from concurrency_slots as slot
    where slot.key = of_key
    order by slot.slot
    for update;
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
