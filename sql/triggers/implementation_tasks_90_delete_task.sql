-- A task goes with either of its parts: deleting an implementation task, or a row that task_details
-- refers to (a feature, a parent), deletes the task.
create function delete_task_of()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    ids uuid[];
begin
    select array_agg(removed.task_id) into ids from removed;
    delete from tasks as task where task.id = any(ids);
    return null;
end;
$$;

comment on function delete_task_of() is 'Deletes the tasks whose other row was deleted.';

create trigger implementation_tasks_90_delete_task
    after delete on implementation_tasks
    referencing old table as removed
    for each statement
    execute function delete_task_of();
