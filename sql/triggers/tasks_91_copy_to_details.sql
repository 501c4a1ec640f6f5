-- Keeps the copies in task_details that its indexes need.
create function copy_to_details()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update task_details as details
    set
        priority = new.priority,
        agent_type = new.agent_type,
        assigned_agent = new.assigned_agent,
        created_at = new.created_at
    where
        details.task_id = new.id
        and (details.priority, details.agent_type, details.assigned_agent, details.created_at)
        is distinct from (new.priority, new.agent_type, new.assigned_agent, new.created_at);
    return null;
end;
$$;

comment on function copy_to_details() is 'Keeps the copies in task_details.';

create trigger tasks_91_copy_to_details
    after update of priority, agent_type, assigned_agent, created_at on tasks
    for each row
    execute function copy_to_details();
