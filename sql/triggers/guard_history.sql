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

-- An imported row has a source, and counts downwards from 0 unless it comes with its number.
create function number_imported_history()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if new.source is null then
        if pg_trigger_depth() = 1 then
            raise exception using
                errcode = 'TD004',
                message = 'task_history is written by triggers only',
                detail = 'TD004 insert',
                hint = 'Change the status of the task; an importer gives its rows a source.';
        end if;
    else
        select least(coalesce(min(entry.seq), 1), 1) - 1
        into new.seq
        from task_history as entry
        where entry.task_id = new.task_id;
        new.created_at := coalesce(new.created_at, clock_timestamp());
    end if;
    return new;
end;
$$;

comment on function number_imported_history() is
    'Numbers imported history, and refuses history that no trigger wrote.';

create trigger task_history_10_number_imported
    before insert on task_history
    for each row
    execute function number_imported_history();

create trigger task_history_10_refuse_change
    before update on task_history
    for each row
    execute function refuse_hand_written_history();

create trigger task_history_10_refuse_removal
    before delete on task_history
    for each row
    when (pg_trigger_depth() = 0)
    execute function refuse_hand_written_history();

create function refuse_truncated_history()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from tasks) then
        raise exception using
            errcode = 'TD004',
            message = 'task_history goes only with its tasks',
            detail = 'TD004 truncate',
            hint = 'Delete the tasks; "truncate tasks cascade" empties both.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_history() is
    'Refuses to empty task_history while there are tasks.';

create trigger task_history_10_refuse_truncation
    after truncate on task_history
    for each statement
    execute function refuse_truncated_history();
