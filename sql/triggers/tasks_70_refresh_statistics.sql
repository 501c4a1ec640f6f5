-- Analyzes a table after a load, if its statistics wrongly call it all but empty.
--
-- They are wrong after a load that was rolled back, or after everything was deleted, until the
-- table was vacuumed. Without rows all indexes cost the planner the same, and it may read the whole
-- of one to find a row by the last of its columns: at each foreign key's check, at each look-up of
-- the other triggers. For a hundred thousand rows that is hours, and neither a setting nor another
-- way to write the look-up prevents it. ANALYZE counts the transaction's own rows too.
--
-- It makes other ANALYZE commands wait for this transaction: so it runs for many rows at once only,
-- as a few are found by any plan. A role that may not analyze the table gets a warning, and goes
-- without.
create function refresh_statistics()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    size bigint;
begin
    select count(*) into size from added;

    -- Two statements, so that a single row does not pay for the plan of the second.
    if size < 1000 then
        return null;
    end if;
    if exists (
        select
        from pg_class as known
        where known.oid = tg_relid and known.reltuples between 0 and known.relpages - 1
    ) then
        execute format('analyze %s', tg_relid::regclass);
    end if;
    return null;
end;
$$;

comment on function refresh_statistics() is
    'Analyzes a table that many rows come into while its statistics call it all but empty.';

create trigger tasks_70_refresh_statistics
    after insert on tasks
    referencing new table as added
    for each statement
    execute function refresh_statistics();
