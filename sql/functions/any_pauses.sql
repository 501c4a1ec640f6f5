-- Returns whether any pause exists. Every writer of is_paused calls it first: the answer holds
-- until the transaction ends, since a change of the pauses waits for all its readers. Above READ
-- COMMITTED the snapshot can be older than the last change; then it fails with 40001, as on any row
-- changed since. It runs as its owner, since a row lock needs the right to update.
create function any_pauses()
    returns boolean
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    -- A scan of all guards would, at SERIALIZABLE, meet the changes of the others.
    set enable_seqscan = off
as $$
declare
    are_there constant boolean := exists (select from claim_pauses);
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        perform from guards where name = 'pauses' for share;
    end if;
    return are_there;
end;
$$;

comment on function any_pauses() is 'True if claiming is paused for anything, as of now.';
