-- From now on this session is not woken, costs others nothing, and has no notification kept for it.
-- Returns whether it was waiting until now.
create function stop_waiting()
    returns boolean
    language plpgsql
    set search_path from current
as $$
declare
    was_waiting constant boolean := exists (select from pg_listening_channels());
begin
    execute 'unlisten *';
    perform pg_advisory_unlock_all();
    return was_waiting;
end;
$$;

comment on function stop_waiting() is 'Ends what start_waiting began.';
