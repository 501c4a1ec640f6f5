-- The number of the next imported row of a task.
create function next_imported_seq(of_task uuid)
    returns int
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return (
        select least(coalesce(min(entry.seq), 1), 1) - 1
        from task_history as entry
        where entry.task_id = of_task
    );
end;
$$;

comment on function next_imported_seq(uuid) is
    'The number of a task''s next imported row of history: they count downwards from 0.';

-- An imported row has a source, and counts downwards from 0. One that a change of the task itself
-- writes has its number: what an importer found later than the task.
create function number_imported_history()
    returns trigger
    language plpgsql
    security definer
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
    elsif pg_trigger_depth() = 1 then
        new.seq := next_imported_seq(new.task_id);
        new.created_at := coalesce(new.created_at, clock_timestamp());
    end if;
    return new;
end;
$$;

comment on function number_imported_history() is
    'Numbers imported history, and refuses history that no trigger wrote.';

create trigger task_history_50_number_imported
    before insert on task_history
    for each row
    execute function number_imported_history();
