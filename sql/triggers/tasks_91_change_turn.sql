-- Another effective priority is another place in the line for the slots of a concurrency key.
-- Claims and endings name no such column, so this does not run for them.
create function change_turn()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    if new.concurrency_key is not null then
        perform look_at_slots_again(new.concurrency_key);
    end if;
    return null;
end;
$$;

comment on function change_turn() is
    'Has the free slots of a task''s concurrency key offered again when its priority changes.';

create trigger tasks_91_change_turn
    after update of effective_priority on tasks
    for each row
    execute function change_turn();
