-- Adds the row of task_details for those of these tasks that have none. Rows are looked up one by
-- one (lateral with offset 0): as a join, a plan made when few tasks were there reads all of them.
create function add_details_of(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
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
        from unnest(ids) as given (id)
        cross join lateral (
            select
                found.id,
                found.priority,
                found.agent_type,
                found.assigned_agent,
                found.created_at,
                found.updated_at
            from tasks as found
            where found.id = given.id
            offset 0
        ) as other
        left join lateral (
            select true as is_there
            from task_details as found
            where found.task_id = given.id
            offset 0
        ) as own
            on true
        where own.is_there is null
    )

    select
        task.id,
        task.priority,
        task.agent_type,
        task.assigned_agent,
        task.created_at,
        task.updated_at
    from task;
end;
$$;

comment on function add_details_of(uuid[]) is 'Adds the missing rows of task_details.';

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
    perform add_details_of(ids) where ids is not null;
    return null;
end;
$$;

comment on function add_details() is 'Adds the row of task_details of new tasks.';

create trigger tasks_90_add_details
    after insert on tasks
    referencing new table as created
    for each statement
    execute function add_details();
