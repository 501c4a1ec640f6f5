-- Refuses a task its file locks, as another task in progress has one of them.
create function raise_locked_file(for_task uuid)
    returns void
    language plpgsql
    set search_path from current
as $$
declare
    path text;
    holder text;
begin
    select clash.path, task.key
    into path, holder
    from file_conflicts as clash
    inner join tasks as task on task.id = clash.holder_id
    where clash.task_id = for_task
    order by clash.path
    limit 1;
    raise exception using
        errcode = 'TD007',
        message = format(
            'the file %s is locked by task %s, which is in progress',
            coalesce(path, 'it needs'),
            coalesce(holder, 'another')
        ),
        detail = 'TD007 assigned_files: must not have a file of another task in progress',
        hint = 'Wait until that task is done, or assign other files.';
end;
$$;

comment on function raise_locked_file(uuid) is 'Raises TD007 with the file and its holder.';
