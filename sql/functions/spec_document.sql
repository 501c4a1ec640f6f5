-- The full-text search document of a specification.
create function spec_document(title text, content text, structure jsonb)
    returns tsvector
    language sql
    immutable
    parallel safe
    set search_path from current
return task_document(title, coalesce(content, shared.spec_text(structure)));

comment on function spec_document(text, text, jsonb) is
    'A specification''s title (weight A) and first 200,000 characters of content (weight B).';
