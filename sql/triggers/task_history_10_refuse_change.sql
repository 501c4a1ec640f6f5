-- History is written by triggers, or imported with its source; it is never changed, and
-- goes only with its task.
create function refuse_hand_written_history()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD004',
        message = 'task_history is written by triggers only',
        detail = format('TD004 %s', lower(tg_op)),
        hint = 'Change the status of the task; an importer gives its rows a source.';
end;
$$;

comment on function refuse_hand_written_history() is 'Refuses history that no trigger wrote.';

create trigger task_history_10_refuse_change
    before update on task_history
    for each row
    execute function refuse_hand_written_history();
