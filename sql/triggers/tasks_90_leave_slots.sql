-- A deleted task of a concurrency key may have been the one that was offered its slot. One in
-- progress gave its slot or its files back, which agents of any type may wait for.
create function leave_slots()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform look_at_slots_again(left_behind.concurrency_key)
    from (
        select distinct removed.concurrency_key
        from removed
        where removed.concurrency_key is not null
    ) as left_behind;
    if
        exists (
            select from removed
            where
                removed.status = 'in_progress'
                and (removed.concurrency_key is not null or removed.has_files)
        )
    then
        perform note_ready('');
    end if;
    return null;
end;
$$;

comment on function leave_slots() is
    'Has the free slots of deleted tasks'' concurrency keys offered again.';

create trigger tasks_90_leave_slots
    after delete on tasks
    referencing old table as removed
    for each statement
    execute function leave_slots();
