-- A task whose list of files is new, or changes, while it is in progress locks the new ones. Its
-- row is written even if it is not in progress: there this meets a claim which sees the old list in
-- an older snapshot. A lock without a write would leave no trace for it.
create function lock_changed_files()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    status shared.task_status;
    concurrency_key text;
begin
    update tasks as task
    set has_files = cardinality(new.assigned_files) > 0
    where task.id = new.task_id
    returning task.status, task.concurrency_key into status, concurrency_key;
    if concurrency_key is not null then
        -- It can have been offered a slot that its files now keep it from taking.
        perform look_at_slots_again(concurrency_key);
    end if;
    if status = 'in_progress' then
        delete from file_locks as file
        where file.task_id = new.task_id and file.path <> all(new.assigned_files);
        if found then
            perform note_ready('');
        end if;
        if not take_files(new.task_id) then
            perform raise_locked_file(new.task_id);
        end if;
    end if;
    return null;
end;
$$;

comment on function lock_changed_files() is
    'Locks the files that a task in progress is newly assigned, and releases the others.';

create trigger implementation_tasks_90_lock_changed_files
    after insert or update of assigned_files on implementation_tasks
    for each row
    execute function lock_changed_files();
