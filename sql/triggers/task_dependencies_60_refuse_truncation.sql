create function refuse_truncated_edges()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from tasks) then
        raise exception using
            errcode = 'TD003',
            message = 'dependencies cannot be truncated, since their tasks count them',
            detail = 'TD003 truncate',
            hint = 'Delete them; "truncate tasks cascade" empties both.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_edges() is
    'Refuses to empty task_dependencies while there are tasks.';

create trigger task_dependencies_60_refuse_truncation
    after truncate on task_dependencies
    for each statement
    execute function refuse_truncated_edges();
