-- A task that leaves in_progress takes its live claim with it. The statements of the
-- claim's holder end the claim themselves, before this looks.
create function revoke_claim()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status = 'in_progress' and new.status <> 'in_progress' then
        update task_claims as claim
        set outcome = 'revoked', ended_at = clock_timestamp()
        where claim.task_id = new.id and claim.outcome is null;
    end if;
    return null;
end;
$$;

comment on function revoke_claim() is 'Ends the live claim of a task that left in_progress.';

create trigger tasks_90_revoke_claim
    after update of status on tasks
    for each row
    execute function revoke_claim();
