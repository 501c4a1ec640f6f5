-- Updates the rows derived from a specification's text: its phases, and its words for search.
create function index_spec()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if tg_op = 'UPDATE' then
        if
            old.title is not distinct from new.title
            and old.content is not distinct from new.content
            and old.structure is not distinct from new.structure
        then
            return null;
        end if;
        delete from spec_phases as phase
        where phase.spec_id = new.id and phase.name <> all(coalesce(new.phase_files, '{}'));
    end if;

    insert into spec_phases (spec_id, name, number, hours)
    select new.id, phase.name, phase.number, phase.hours
    from jsonb_to_recordset(new.structure -> 'phases')
        as phase (name text, number int, hours numeric)
    on conflict (spec_id, name) do update
    set number = excluded.number, hours = excluded.hours;

    insert into spec_search (spec_id, document)
    values (new.id, spec_document(new.title, new.content, new.structure))
    on conflict (spec_id) do update
    set document = excluded.document;
    return null;
end;
$$;

comment on function index_spec() is 'Writes a specification''s phases and words beside it.';

create trigger technical_specs_90_index
    after insert or update of title, content, structure on technical_specs
    for each row
    execute function index_spec();
