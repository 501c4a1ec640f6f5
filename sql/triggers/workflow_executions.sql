-- Only an active workflow is started. The lock is shared: who starts waits for who pauses, and
-- not for others who start.
create function refuse_idle_workflow()
    returns trigger
    language plpgsql
    set search_path from current
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

-- An execution that has ended stays as it ended.
create function refuse_revived_execution()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status <> 'running' then
        raise exception using
            errcode = 'TD001',
            message = format('the execution is %s already', old.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = 'Start another one.';
    end if;
    return new;
end;
$$;

comment on function refuse_revived_execution() is 'Refuses another end of an execution.';

create trigger workflow_executions_10_refuse_revival
    before update of status on workflow_executions
    for each row
    execute function refuse_revived_execution();

-- The end of an execution, by whatever route: its moment, its tasks counted unless the runner
-- has counted them, and its open steps cancelled. Whoever records a step has locked this row.
create function settle_execution()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status = 'running' and new.status <> 'running' then
        new.ended_at := coalesce(new.ended_at, now());
        select
            coalesce(new.total_tasks, count(*)),
            coalesce(
                new.completed_tasks,
                count(*) filter (
                    where task.status in ('completed', 'archived')
                        and task.completed_at is not null
                )
            ),
            coalesce(new.failed_tasks, count(*) filter (where task.status = 'failed'))
        into new.total_tasks, new.completed_tasks, new.failed_tasks
        from tasks as task
        where task.workflow_execution_id = new.id;
    end if;
    return new;
end;
$$;

comment on function settle_execution() is 'Fills in what the end of an execution implies.';

create trigger workflow_executions_50_settle
    before update of status on workflow_executions
    for each row
    execute function settle_execution();

create trigger workflow_executions_51_touch_updated_at
    before update on workflow_executions
    for each row
    execute function touch_updated_at();

create function cancel_open_steps()
    returns trigger
    language plpgsql
    set search_path from current
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

comment on function cancel_open_steps() is 'Cancels what an execution has left at its end.';

create trigger workflow_executions_90_cancel_open_steps
    after update of status on workflow_executions
    for each row
    execute function cancel_open_steps();
