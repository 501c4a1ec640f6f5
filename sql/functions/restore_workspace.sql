-- Restoring an export into an empty workspace, in one transaction of its owner: begin_restore,
-- restore_rows as often as it takes, finish_restore. The triggers are off in between, so that rows
-- come back as they were, history and counters included; foreign keys and checks are on.
create function begin_restore()
    returns integer
    language plpgsql
    set search_path from current
as $$
declare
    found_name text;
    has_rows boolean;
    table_count integer := 0;
begin
    for found_name in select exported.name from exported_tables() as exported loop
        table_count := table_count + 1;
        execute format('alter table %I disable trigger user', found_name);
        -- A new workspace has rows in these; those of the file replace them.
        if found_name = 'guards' or found_name ~ '_status_transitions$' then
            execute format('delete from %I', found_name);
        else
            execute format('select exists (select from %I)', found_name) into has_rows;
            if has_rows then
                perform raise_refusal(
                    'workspace', format('must be empty, and has rows in %s', found_name)
                );
            end if;
        end if;
    end loop;
    return table_count;
end;
$$;

comment on function begin_restore() is
    'Turns the triggers of an empty workspace off; returns the number of tables.';

create function restore_rows(table_name text, given jsonb)
    returns bigint
    language plpgsql
    set search_path from current
    set timezone to 'UTC'
    set intervalstyle to 'postgres'
as $$
declare
    names text;
    row_count bigint;
begin
    select string_agg(format('%I', part.name), ', ')
    into names
    from exported_tables() as exported
    cross join lateral unnest(exported.columns) as part (name)
    where exported.name = table_name;
    if names is null then
        perform raise_refusal('table_name', 'must be a table of the workspace');
    end if;

    execute format(
        'insert into %1$I (%2$s) select %2$s from jsonb_populate_recordset(null::%1$I, $1)',
        table_name,
        names
    )
    using given;
    get diagnostics row_count = row_count;
    return row_count;
end;
$$;

comment on function restore_rows(text, jsonb) is
    'Inserts rows of a table, an array of JSON objects, between begin_ and finish_restore.';

-- Holders of claims in the exported workspace hold none here: live claims are revoked, and every
-- task's token is raised to the next million. So no token from there, not even one of a claim that
-- begins later, is valid here; and the tokens themselves record the restore.
-- docs/decisions/0037-tokens-after-a-restore.md
create function finish_restore()
    returns bigint
    language plpgsql
    set search_path from current
as $$
declare
    found_name text;
    revoked_count bigint;
begin
    for found_name in select exported.name from exported_tables() as exported loop
        execute format('alter table %I enable trigger user', found_name);
    end loop;

    update tasks as task
    set
        status = 'pending',
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = 'the workspace was restored from a file',
        status_outcome = 'revoked'
    where task.claim_agent is not null;
    get diagnostics revoked_count = row_count;

    alter table tasks disable trigger user;
    update tasks as task
    set claim_token = (task.claim_token / 1000000 + 1) * 1000000;
    alter table tasks enable trigger user;
    return revoked_count;
end;
$$;

comment on function finish_restore() is
    'Turns the triggers on again, revokes live claims and raises tokens; returns the number of '
    'claims.';
