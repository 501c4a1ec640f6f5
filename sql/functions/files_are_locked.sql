-- Returns whether another task in progress locks a file of this one, as of now. A claim calls it
-- for one task in line after another, and must see files locked since it began: so it is volatile,
-- and at READ COMMITTED takes a snapshot of its own each time. The view file_conflicts has the
-- state at the start of the claim.
create function files_are_locked(for_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
as $$
begin
    return exists (
        select from file_conflicts as clash where clash.task_id = for_task
    );
end;
$$;

comment on function files_are_locked(uuid) is
    'True if another task in progress locks a file of this one, now.';
