-- Writes the first history row of each new task.
create function record_creation()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    ids uuid[];
    statuses shared.task_status[];
    agents text[];
begin
    select
        array_agg(created.id),
        array_agg(created.status),
        array_agg(coalesce(created.created_by, session_user))
    into ids, statuses, agents
    from created;

    insert into task_history (task_id, seq, new_status, agent)
    select row.id, 1, row.status, row.agent
    from unnest(ids, statuses, agents) as row (id, status, agent);
    return null;
end;
$$;

comment on function record_creation() is 'Writes the creation of tasks into task_history.';

create trigger tasks_90_record_creation
    after insert on tasks
    referencing new table as created
    for each statement
    execute function record_creation();
