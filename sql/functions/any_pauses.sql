-- Whether claiming is paused for anything. Who writes is_paused asks here first: the answer holds
-- until the transaction ends, since a change of the pauses waits for all who have read them.
-- Above READ COMMITTED the snapshot can be older than the last change; then it fails with 40001, as
-- a row does that has changed since. It runs as its owner, for a lock of a row takes the right to
-- change it.
create function any_pauses()
    returns boolean
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    are_there constant boolean := exists (select from claim_pauses);
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        perform from pause_guard for share;
    end if;
    return are_there;
end;
$$;

comment on function any_pauses() is 'Whether claiming is paused for anything, as of now.';
