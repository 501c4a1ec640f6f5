-- The full-text search document of a task.
create function task_document(title text, description text)
    returns tsvector
    language sql
    immutable
    parallel safe
return setweight(to_tsvector('pg_catalog.english', title), 'A')
    || setweight(
        to_tsvector('pg_catalog.english', coalesce(left(description, 200000), '')), 'B'
    );

comment on function task_document(text, text) is
    'A task''s title (weight A) and first 200,000 characters of description (weight B).';
