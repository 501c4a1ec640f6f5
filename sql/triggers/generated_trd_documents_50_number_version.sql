-- A document gets the version after its session's newest. Writing the session's row makes two
-- writers of one session take turns, at every isolation level: reading the highest version would
-- give both the same. docs/decisions/0011-document-versions.md
create function number_document()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update tech_spec_sessions as session
    set newest_version = session.newest_version + 1
    where session.id = new.session_id
    returning session.newest_version into new.version;
    -- A session that does not exist is reported by the foreign key.
    new.version := coalesce(new.version, 1);
    return new;
end;
$$;

comment on function number_document() is
    'Numbers a document: the version after its session''s newest.';

create trigger generated_trd_documents_50_number_version
    before insert on generated_trd_documents
    for each row
    execute function number_document();
