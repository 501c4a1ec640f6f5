-- Locks the files of an implementation task for it, all or none, and returns whether it has them.
-- Other tasks have no files to lock. Who calls it has the task's row locked.
--
-- Rows are written in the order of paths, and those of a failure are rolled back at once: so a
-- task that waits for a file holds none that comes after it.
create function take_files(for_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    wanted text[];
begin
    select work.assigned_files into wanted
    from implementation_tasks as work
    where work.task_id = for_task;
    if wanted is null then
        return true;
    elsif exists (
        select from file_locks as file
        where file.path = any(wanted) and file.task_id <> for_task
    ) then
        return false;
    end if;

    begin
        insert into file_locks (path, task_id)
        select distinct file.path, for_task
        from unnest(wanted) as file (path)
        where not exists (
            select from file_locks as own
            where own.path = file.path and own.task_id = for_task
        )
        order by file.path;
    exception
        when unique_violation then
            return false;
    end;
    return true;
end;
$$;

comment on function take_files(uuid) is
    'Locks the files of a task that goes into progress, if no other task locks one of them.';

-- The same for a claim, which tries another task if it returns false. It waits for no other
-- transaction that is taking one of the files, for longer than a moment: it can hold files of other
-- tasks already, as claims of many do, and two of those would deadlock.
create function try_files(for_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set lock_timeout = '10ms'
as $$
begin
    return take_files(for_task);
exception
    when lock_not_available then
        return false;
end;
$$;

comment on function try_files(uuid) is
    'Locks the files of a task that is claimed, if no other task locks one, or is about to.';
