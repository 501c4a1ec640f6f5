-- The version of a document and its session are its identity, and never change.
create function refuse_renumbered_document()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a document keeps its session and its version',
        detail = 'TD003 update',
        hint = 'Add another one.';
end;
$$;

comment on function refuse_renumbered_document() is
    'Refuses to change the session or the version of a document.';

create trigger generated_trd_documents_10_refuse_renumbering
    before update of session_id, version on generated_trd_documents
    for each row
    when (
        old.session_id is distinct from new.session_id
        or old.version is distinct from new.version
    )
    execute function refuse_renumbered_document();
