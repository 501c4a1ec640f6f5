-- 0020: claims look anew at the files that are held, one task after the other.
-- Locks: none beyond new objects.
-- Check: select files_are_held(null);  -- expect f
set local lock_timeout = '2s';

-- Whether another task in progress holds a file of this one, as of now. A claim asks it of one
-- task in line after the other, and what was taken since the claim began must count: so it is
-- volatile, and at READ COMMITTED looks with a snapshot of its own each time. (The view
-- file_conflicts says how things were when the claim began.)
create function files_are_held(for_task uuid)
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

comment on function files_are_held(uuid) is
    'Whether another task in progress holds a file of this one, now.';
