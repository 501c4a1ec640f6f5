-- Analyzes tables whose files have grown to eight times what their statistics say; and those that
-- these wrongly call all but empty, once twice as many rows have been added.
--
-- A session keeps a plan that it made when the table had a page or two: to read all of it, for each
-- row that a statement changes, and for each check of a foreign key. Nobody can set how such a
-- check is planned; new statistics make PostgreSQL plan again. Autovacuum does the same a minute
-- after rows were committed: too late for a transaction of many statements, or of a single load.
--
-- Statistics are wrong after a load that was rolled back, or after everything was deleted, until
-- the table was vacuumed. Without rows all indexes cost the planner the same, and it may read the
-- whole of one to find a row by the last of its columns. For a hundred thousand rows that is hours,
-- and neither a setting nor another way to write the look-up prevents it. ANALYZE counts the
-- transaction's own rows too. A table that was never analyzed is planned with care already.
--
-- Other ANALYZE commands wait for this transaction then. Where one is at it this does not wait, and
-- the next statement looks again.
create function analyze_grown(tables oid[], added bigint)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set client_min_messages = error
as $$
declare
    stale regclass;
begin
    for stale in
        select known.oid
        from pg_class as known
        where
            known.oid = any(tables)
            and known.reltuples >= 0
            and (
                pg_relation_size(known.oid) / current_setting('block_size')::int
                > 8 * (known.relpages + 1)
                or known.reltuples < least(known.relpages, added / 2)
            )
        order by known.oid
    loop
        execute format('analyze (skip_locked) %s', stale);
    end loop;
end;
$$;

comment on function analyze_grown(oid[], bigint) is
    'Analyzes tables that have grown a lot since their statistics were made.';

-- The same for the table of a trigger and those that the trigger names, each time that the
-- transaction has added 64 more rows: fewer are found by any plan, and pay for no look. Rows that
-- the session has added in the second before may be counted as well.
create function refresh_statistics()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    added_so_far constant bigint := pg_stat_get_xact_tuples_inserted(tg_relid);
    size bigint;
begin
    if added_so_far >= 64 then
        select count(*) into size from added;
        if added_so_far / 64 > (added_so_far - size) / 64 then
            perform analyze_grown(tg_relid || tg_argv::regclass[]::oid[], added_so_far);
        end if;
    end if;
    return null;
end;
$$;

comment on function refresh_statistics() is
    'Analyzes a table that grows, once a transaction has added many rows to it.';

create trigger tasks_70_refresh_statistics
    after insert on tasks
    referencing new table as added
    for each statement
    execute function refresh_statistics();
