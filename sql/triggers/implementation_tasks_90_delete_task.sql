-- A task goes with either of its parts: deleting an implementation task, or a row that task_details
-- refers to (a feature, a parent), deletes the task. All tasks below it go in the same statement:
-- left to the foreign keys, each level of parents would run inside the one above, and 1,600 levels
-- exceed the server's stack.
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
    ids := array(
        with recursive below as (
            select task.id from tasks as task where task.id = any(ids)
            union
            -- Lateral, so that each level reads its own children by the index.
            select part.task_id
            from below
            cross join lateral (
                select details.task_id
                from task_details as details
                where details.parent_id = below.id
                offset 0
            ) as part
        )

        select below.id from below
    );
    -- Mostly the tasks are gone already, and their rows of task_details go with them.
    if ids <> '{}' then
        delete from tasks as task where task.id = any(ids);
    end if;
    return null;
end;
$$;

comment on function delete_task_of() is 'Deletes the tasks whose other row was deleted.';

create trigger implementation_tasks_90_delete_task
    after delete on implementation_tasks
    referencing old table as removed
    for each statement
    execute function delete_task_of();
