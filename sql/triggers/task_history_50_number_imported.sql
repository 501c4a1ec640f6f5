-- A row of history that no trigger writes is imported: it has a source, and a number of its own.
-- They count downwards from 0. One that a change of the task itself writes has its number: what an
-- importer found later than the task.
create function imported_history(entry task_history)
    returns task_history
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if entry.source is null then
        raise exception using
            errcode = 'TD004',
            message = 'task_history is written by triggers only',
            detail = 'TD004 insert',
            hint = 'Change the status of the task; an importer gives its rows a source.';
    end if;
    entry.seq := (
        select least(coalesce(min(earlier.seq), 1), 1) - 1
        from task_history as earlier
        where earlier.task_id = entry.task_id
    );
    entry.created_at := coalesce(entry.created_at, clock_timestamp());
    return entry;
end;
$$;

comment on function imported_history(task_history) is
    'Numbers a row of imported history, and refuses one that no trigger wrote.';

-- Every transition runs it for its row, so it has no settings to change, and one expression where a
-- trigger writes. Each name is written with its schema, but for that of a function which is first
-- in the path; where another schema is, it is looked up anew.
create function number_imported_history()
    returns trigger
    language plpgsql
as $$
begin
    if pg_catalog.pg_trigger_depth() operator(pg_catalog.=) 1 then
        if tg_table_schema operator(pg_catalog.=) pg_catalog.current_schema() then
            new := imported_history(new);
        else
            execute pg_catalog.format(
                'select numbered.* from %I.imported_history($1) as numbered', tg_table_schema
            )
            into new
            using new;
        end if;
    end if;
    return new;
end;
$$;

comment on function number_imported_history() is
    'Has history that no trigger writes numbered, or refused.';

create trigger task_history_50_number_imported
    before insert on task_history
    for each row
    execute function number_imported_history();
