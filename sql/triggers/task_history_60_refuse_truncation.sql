create function refuse_truncated_history()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from tasks) then
        raise exception using
            errcode = 'TD004',
            message = 'task_history cannot be emptied without its tasks',
            detail = 'TD004 truncate',
            hint = 'Delete the tasks; "truncate tasks cascade" empties both.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_history() is
    'Refuses to empty task_history while there are tasks.';

create trigger task_history_60_refuse_truncation
    after truncate on task_history
    for each statement
    execute function refuse_truncated_history();
