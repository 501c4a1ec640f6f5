-- After a load into a table that its statistics wrongly call all but empty: they are taken again.
--
-- They say so after a load that was undone, or after everything was deleted, until the table was
-- vacuumed. Without rows all indexes cost the planner the same, and it may read the whole of one
-- to find a row by the last of its columns: at each foreign key's check, at each look-up of the
-- other triggers. For a hundred thousand rows that is hours, and neither a setting nor another way
-- to write the look-up prevents it. ANALYZE counts the transaction's own rows too.
--
-- (It keeps others' ANALYZE waiting for this transaction: so it is for many rows at once only,
-- as a few are found in any way. Whoever may not analyze the table is warned, and goes without.)
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

    if
        size >= 1000
        and exists (
            select
            from pg_class as known
            where known.oid = tg_relid and known.reltuples between 0 and known.relpages - 1
        )
    then
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
