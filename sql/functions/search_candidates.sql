-- The tasks that a search ranks: all matches, up to *bound*; of more, about the newest *bound*.
-- Ranking reads each document, so a word in half the tasks would cost a second in a million; and
-- nobody reads beyond the first pages.
--
-- Ids grow with time, so the newest are the last by primary key. Three steps, each of bounded
-- cost, and each only where it pays (docs/decisions/0014-insight.md has the figures):
--   1. Look how many of the newest 1,000 tasks match.
--   2. If it is one in twenty or more, collect from the newest on, through 40 x bound tasks at
--      most. A full list is the exact newest; GIN would first gather every match.
--   3. Else ask GIN. Up to bound: all. Up to 10 x bound: the newest of all. Of still more,
--      the newest of those that are found first.
create function search_candidates(query tsquery, bound int)
    returns setof uuid
    language plpgsql
    stable
    rows 1000
    set search_path from current
    set enable_seqscan = off
    set jit = off
    -- A plan made for the words would rely on the statistics, which have none for phrases.
    set plan_cache_mode = force_generic_plan
as $$
declare
    frequency bigint;
    ids uuid[];
begin
    select count(*)
    into frequency
    from (
        select search.document
        from task_search as search
        order by search.task_id desc
        limit 1000
    ) as newest
    where newest.document @@ query;

    if frequency >= 50 then
        select array_agg(found.task_id)
        into ids
        from (
            select newest.task_id
            from (
                select search.task_id, search.document
                from task_search as search
                order by search.task_id desc
                limit 40 * bound
            ) as newest
            where newest.document @@ query
            limit bound
        ) as found;
        if cardinality(ids) = bound then
            return query select newest.id from unnest(ids) as newest (id);
            return;
        end if;
    end if;

    return query
    select found.task_id
    from (
        select search.task_id
        from task_search as search
        where search.document @@ query
        limit 10 * bound
    ) as found
    order by found.task_id desc
    limit bound;
end;
$$;

comment on function search_candidates(tsquery, int) is
    'The tasks that match, if no more than bound do; of more, about the newest bound.';
