-- Locks the files of an implementation task for it, all or none, and returns whether it has them.
-- Other tasks have no files to lock. Claims call it with the task's row locked, and try another
-- task if it returns false.
--
-- Rows are written in the order of paths, and those of a failure are rolled back at once: so a
-- claim that waits for a file holds none that comes after it, and two claims can't deadlock.
create function take_files(for_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
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
        select from held_files as file
        where file.path = any(wanted) and file.task_id <> for_task
    ) then
        return false;
    end if;

    begin
        insert into held_files (path, task_id)
        select distinct file.path, for_task
        from unnest(wanted) as file (path)
        where not exists (
            select from held_files as own
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
