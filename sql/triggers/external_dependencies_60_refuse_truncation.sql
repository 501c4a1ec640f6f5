create function refuse_truncated_externals()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if
        exists (select from tasks as task where task.unhealthy_dependencies > 0)
        or exists (select from workflows as workflow where workflow.unhealthy_dependencies > 0)
    then
        raise exception using
            errcode = 'TD003',
            message = 'external dependencies cannot be truncated while unhealthy ones are counted',
            detail = 'TD003 truncate',
            hint = 'Delete them.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_externals() is
    'Refuses to empty external_dependencies while tasks or workflows count some of them.';

create trigger external_dependencies_60_refuse_truncation
    after truncate on external_dependencies
    for each statement
    execute function refuse_truncated_externals();
