-- The query of a web search: words, "a phrase", -without, or; and beginning*, which matches all
-- that begins so.
create function words_query(words text)
    returns tsquery
    language sql
    stable
    strict
    parallel safe
    set search_path from current
return (
    select coalesce(whole.query && beginning.query, whole.query)
    from websearch_to_tsquery(
        'pg_catalog.english',
        -- A hyphen that negates nothing would fill the parser's stack: 33 of them are an error.
        regexp_replace(words, '\w+\*|-+(?![^\s-])', ' ', 'g')
    ) as whole (query)
    cross join (
        select to_tsquery('pg_catalog.english', string_agg(found.word[1] || ':*', ' & '))
        from regexp_matches(words, '(\w+)\*', 'g') as found (word)
    ) as beginning (query)
);

comment on function words_query(text) is
    'The query that a person''s words stand for, as in web search.';
