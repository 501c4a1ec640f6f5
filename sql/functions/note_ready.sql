-- A task has become ready in this transaction, for agents of a type ('': of any). The types are
-- noted in a setting of the transaction, where awaited_types finds them, and a client that asked
-- for it (taskdb.report_ready) gets a notice, once, in the answer to its statement. So a client
-- knows without a question whether its commit has anybody to wake.
create function note_ready(for_type text)
    returns void
    language plpgsql
    set search_path from current
as $$
declare
    noted constant text[] := coalesce(
        nullif(current_setting('taskdb.ready_types', true), ''), '{}'
    );
begin
    if for_type = any(noted) or '' = any(noted) then
        return;
    end if;
    -- A crowd of types is anybody: a notification holds 8,000 bytes.
    perform set_config(
        'taskdb.ready_types',
        case when cardinality(noted) < 20 then (noted || for_type)::text else '{""}' end,
        true
    );
    if noted = '{}' and current_setting('taskdb.report_ready', true) = 'on' then
        raise notice using message = 'a task is ready', errcode = 'TD100';
    end if;
end;
$$;

comment on function note_ready(text) is
    'Notes that a task became ready in this transaction, and reports it to the client once.';
