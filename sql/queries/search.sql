-- Finding tasks by their words.

-- name: find_tasks
-- Tasks whose title or description has the words, the best match first. Words follow web search: "a
-- phrase", -without, or; and beginning* matches every word that begins so.
--
-- Where more than 1,000 tasks match (or more than the limit), the best of about the newest 1,000 of
-- them are found: see search_candidates.
--
-- The excerpt surrounds matches with U+E000 and U+E001, which are removed from the text first, so
-- that they always mean a match.
--
-- plan: task_search_pkey, tasks_pkey
with wanted as (
    select words_query(:words) as query
),

best as (
    select
        search.task_id,
        wanted.query,
        ts_rank(search.document, wanted.query) as rank
    from wanted
    cross join lateral
        search_candidates(wanted.query, greatest(1000, :limit)) as candidate (task_id)
    inner join task_search as search on search.task_id = candidate.task_id
    order by rank desc, search.task_id
    limit :limit
)

select
    task.id,
    task.key,
    task.title,
    task.status,
    best.rank as "rank!",  -- words_query is strict, and words are given
    ts_headline(
        'pg_catalog.english',
        translate(left(details.description, 200000), U&'\E000\E001', ''),
        best.query,
        U&'StartSel="\E000", StopSel="\E001", MaxFragments=2, MaxWords=18, MinWords=6'
    ) as excerpt
from best
inner join tasks as task on task.id = best.task_id
inner join task_details as details on details.task_id = best.task_id
order by best.rank desc, best.task_id;
