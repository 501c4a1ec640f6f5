-- Adds the row of task_details for each new task whose statement did not announce it.
create function add_details()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    ids uuid[];
begin
    select array_agg(created.id) into ids from created where created.details_follow is not true;
    if ids is not null then
        insert into task_details (
            task_id, priority, agent_type, assigned_agent, created_at, updated_at
        )
        with task as (
            select
                other.id,
                other.priority,
                other.agent_type,
                other.assigned_agent,
                other.created_at,
                other.updated_at
            from tasks as other
            where
                other.id = any(ids)
                and not exists (select from task_details as own where own.task_id = other.id)
        )

        select
            task.id,
            task.priority,
            task.agent_type,
            task.assigned_agent,
            task.created_at,
            task.updated_at
        from task;
    end if;
    return null;
end;
$$;

comment on function add_details() is 'Adds the row of task_details of new tasks.';

create trigger tasks_90_add_details
    after insert on tasks
    referencing new table as created
    for each statement
    execute function add_details();
