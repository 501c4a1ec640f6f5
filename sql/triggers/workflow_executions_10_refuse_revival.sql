-- An execution that has ended keeps its status.
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
