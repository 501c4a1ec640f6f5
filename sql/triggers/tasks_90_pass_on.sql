-- Passes a change of a task on: to its dependents, when it begins or ceases to satisfy their
-- dependencies; and to its blockers, when its priority changes or it is abandoned. A bound task
-- that comes back from progress to wait ends, if its blocker has. The trigger runs where
-- apply_task_change says that others can be concerned.
create function pass_on_task_change()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    if new.status = 'blocked' and old.status in ('in_progress', 'in_review') then
        perform end_with_blocker(new.id);
    end if;
    if
        is_satisfied('requires', old.status, old.completed_at)
        <> is_satisfied('requires', new.status, new.completed_at)
        or is_satisfied('blocks', old.status, old.completed_at)
        <> is_satisfied('blocks', new.status, new.completed_at)
        or (old.status = 'failed') <> (new.status = 'failed')
    then
        perform unblock_dependents(new.id);
    end if;
    if
        old.priority <> new.priority
        or is_active(old.status, old.completed_at) <> is_active(new.status, new.completed_at)
    then
        perform pass_on_priority(
            new.id, old.priority, new.priority, is_active(old.status, old.completed_at)
        );
    end if;
    return null;
end;
$$;

comment on function pass_on_task_change() is
    'Passes a change of a task on to its dependents and its blockers.';

-- A statement that names none of these columns changes no status but between pending and blocked.
-- The condition is one column: each statement parses it again.
create trigger tasks_90_pass_on
    after update of
    status, status_ending, completed_at, priority, max_attempts, failed_attempts
    on tasks
    for each row
    when (new.is_passed_on)
    execute function pass_on_task_change();
