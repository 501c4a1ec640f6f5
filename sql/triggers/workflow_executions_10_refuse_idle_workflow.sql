-- Only an active workflow is started. The lock is shared: a start waits for a pause, and not for
-- another start.
create function refuse_idle_workflow()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    found_status shared.workflow_status;
begin
    select workflow.status
    into found_status
    from workflows as workflow
    where workflow.id = new.workflow_id
    for share;
    if found_status <> 'active' then
        raise exception using
            errcode = 'TD001',
            message = format('the workflow is %s: it cannot be started', found_status),
            detail = format('TD001 %s -> running', found_status),
            hint = 'Activate it first.';
    end if;
    return new;
end;
$$;

comment on function refuse_idle_workflow() is
    'Refuses to start a workflow that is not active.';

create trigger workflow_executions_10_refuse_idle_workflow
    before insert on workflow_executions
    for each row
    when (new.status = 'running')
    execute function refuse_idle_workflow();
