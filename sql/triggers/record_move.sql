-- Writes one history row for a change of status, from the letterbox columns, and empties
-- them. The row is locked while a BEFORE trigger runs, so the numbers have no gaps.
create function record_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status <> new.status then
        new.status_seq := old.status_seq + 1;
        insert into task_history (task_id, seq, old_status, new_status, agent, note, forced)
        values (
            new.id,
            new.status_seq,
            old.status,
            new.status,
            coalesce(new.status_agent, session_user),
            new.status_note,
            coalesce(new.status_forced, false)
        );
    else
        new.status_seq := old.status_seq;
    end if;
    new.status_agent := null;
    new.status_note := null;
    new.status_forced := null;
    return new;
end;
$$;

comment on function record_move() is 'Writes a change of status into task_history.';

-- The columns from which a change of status can come, and the letterbox.
create trigger tasks_90_record_move
    before update of
    status, open_dependencies, blocked_reason, status_seq, status_agent, status_note, status_forced
    on tasks
    for each row
    execute function record_move();
