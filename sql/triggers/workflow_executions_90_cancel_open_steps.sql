create function cancel_open_steps()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.status = 'running' and new.status <> 'running' then
        update execution_steps as step
        set status = 'cancelled', ended_at = new.ended_at, deadline_at = null, retry_at = null
        where
            step.execution_id = new.id
            and step.status in ('pending', 'in_progress', 'retrying');
    end if;
    return null;
end;
$$;

comment on function cancel_open_steps() is 'Cancels the open steps of an execution at its end.';

create trigger workflow_executions_90_cancel_open_steps
    after update of status on workflow_executions
    for each row
    execute function cancel_open_steps();
