-- Pausing and resuming meet the creation of tasks at the table itself: every creator of a task has
-- read claim_pauses, and this lock waits for them and keeps later ones waiting. A transaction with
-- an older snapshot meets the guard where it would write is_paused (functions/any_pauses.sql).
create function lock_claim_pauses()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    -- The deletion of any epic or feature fires this trigger.
    if tg_op = 'DELETE' and not exists (select from claim_pauses) then
        return null;
    end if;
    lock table claim_pauses in access exclusive mode;
    insert into guards (name) values ('pauses')
    on conflict (name) do update set version = guards.version + 1;
    return null;
end;
$$;

comment on function lock_claim_pauses() is 'Keeps tasks from being created while pauses change.';

create trigger claim_pauses_10_lock
    before insert or update or delete on claim_pauses
    for each statement
    execute function lock_claim_pauses();
