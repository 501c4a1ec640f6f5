-- 0005: specifications, their phases, dependencies and words.
-- Locks: none beyond new objects.
-- Check: select count(*) from spec_status_transitions;  -- expect 15
set local lock_timeout = '2s';

-- A technical specification, kept whole: as one text (monolithic), or as JSON with phases
-- (hierarchical), of which one can be read without the rest. Exactly one of the two.
--
-- A structure is an object: overview, architecture and technology_stack are texts, phases a
-- list of objects with number, name, description, hours and content. What else is in it is kept.
-- With `"verbatim": true` the overview and the phases' contents, put together, are the
-- document it was made from, to the byte.

-- Numbers specifications whose creator has no number for them.
create sequence technical_spec_number as integer;

comment on sequence technical_spec_number is
    'The spec_number of the next specification without one.';

create table technical_specs (
    id uuid primary key default uuidv7(),
    spec_number integer not null,
    key text collate "C" not null generated always as ('SPEC-' || spec_number::text) stored,
    title shared.title not null,
    roadmap_item_id shared.name_text,
    status shared.spec_status not null default 'draft',
    spec_type shared.spec_type not null default 'monolithic',
    content text,
    structure shared.object_json,
    -- Where an imported one came from. Others are nowhere but here.
    file_path shared.name_text,
    total_phases integer generated always as (
        case
            when jsonb_typeof(structure -> 'phases') = 'array'
                then jsonb_array_length(structure -> 'phases')
        end
    ) stored,
    phase_files text[] generated always as (shared.phase_names(structure)) stored,
    phase integer,
    current_phase_status shared.phase_status,
    estimated_hours shared.hours,
    actual_hours shared.hours,
    created_by shared.name_text not null default 'architect',
    updated_by shared.name_text not null default 'architect',
    started_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint technical_specs_number_is_taken_once unique (spec_number),
    constraint technical_specs_key_is_taken_once unique (key),
    constraint technical_specs_number_is_positive check (spec_number > 0),
    -- What implementation tasks refer to: a specification that has some keeps its type.
    constraint technical_specs_type_is_for_tasks unique (id, spec_type),
    constraint technical_specs_content_exactly_if_monolithic
        check ((spec_type = 'monolithic') = (content is not null)),
    constraint technical_specs_structure_exactly_if_hierarchical
        check ((spec_type = 'hierarchical') = (structure is not null)),
    constraint technical_specs_phase_status_only_with_phase
        check (current_phase_status is null or phase is not null)
);

-- Serves queries/specs.sql: list_specs, newest first.
create index technical_specs_by_status on technical_specs (status, spec_number desc);
-- Serves queries/specs.sql: get_by_roadmap_item.
create index technical_specs_by_roadmap_item
    on technical_specs (roadmap_item_id, spec_number desc);

comment on table technical_specs is 'Specifications, content included: no files.';
comment on column technical_specs.key is 'SPEC- and its number. Computed by the server.';
comment on column technical_specs.roadmap_item_id is 'The roadmap item it specifies, as US-116.';
comment on column technical_specs.content is 'The text of a monolithic specification.';
comment on column technical_specs.structure is
    'A hierarchical specification: overview, phases, architecture, technology_stack.';
comment on column technical_specs.file_path is
    'Legacy: the file that an imported specification came from. Never read.';
comment on column technical_specs.total_phases is 'How many phases it has. Computed by the server.';
comment on column technical_specs.phase_files is
    'The names of its phases, in the order of its list. Computed by the server.';
comment on column technical_specs.phase is
    'The number of the phase that is worked on; a trigger sees that it is one of them.';
comment on column technical_specs.current_phase_status is 'Where that phase stands.';
comment on column technical_specs.started_at is 'When it first went into progress.';

-- The allowed moves of specifications, as rows: a team may allow more, or fewer.
create table spec_status_transitions (
    old_status shared.spec_status not null,
    new_status shared.spec_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint spec_status_transitions_is_a_move check (old_status <> new_status)
);

comment on table spec_status_transitions is 'The changes of a specification''s status.';

insert into spec_status_transitions (old_status, new_status, meaning) values
    ('draft', 'in_review', 'ready to be looked at'),
    ('draft', 'approved', 'good as it is'),
    ('draft', 'archived', 'put away'),
    ('in_review', 'draft', 'asks for more work'),
    ('in_review', 'approved', 'good as it is'),
    ('in_review', 'archived', 'put away'),
    ('approved', 'draft', 'to be rewritten'),
    ('approved', 'in_progress', 'its implementation begins'),
    ('approved', 'archived', 'put away'),
    ('in_progress', 'approved', 'its implementation rests'),
    ('in_progress', 'completed', 'implemented'),
    ('in_progress', 'archived', 'given up'),
    ('completed', 'in_progress', 'its implementation goes on'),
    ('completed', 'archived', 'put away'),
    ('archived', 'draft', 'taken up again');

-- The phases of hierarchical specifications, by name: what implementation tasks refer to, so
-- that a phase with tasks can't go away. The phases themselves are in the structure; a trigger
-- keeps these rows.
create table spec_phases (
    spec_id uuid not null,
    name text collate "C" not null,
    number integer not null,
    hours shared.hours,
    primary key (spec_id, name),
    constraint spec_phases_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade
);

comment on table spec_phases is
    'The phases of hierarchical specifications, without their contents. Written by trigger.';
comment on column spec_phases.hours is 'Estimated hours; null where the structure has none.';

-- An edge between specifications: this one builds on the other. The graph has no cycle.
create table spec_dependencies (
    spec_id uuid not null,
    depends_on_id uuid not null,
    created_by shared.name_text,
    created_at timestamptz not null default now(),
    primary key (spec_id, depends_on_id),
    constraint spec_dependencies_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade,
    constraint spec_dependencies_depends_on_exists
        foreign key (depends_on_id) references technical_specs (id) on delete cascade
);

-- Serves queries/specs.sql: list_dependents, and the deletion of a specification.
create index spec_dependencies_by_blocker on spec_dependencies (depends_on_id);

comment on table spec_dependencies is 'spec_id builds on depends_on_id.';

-- Every new dependency between specifications writes this one row first, so that two which
-- would close a loop together meet here: at READ COMMITTED the second waits and then sees the
-- first; at the higher levels it fails with 40001. Such edges are few; nothing else waits.
create table spec_guard (
    only_row boolean primary key default true,
    version bigint not null default 0,
    constraint spec_guard_has_one_row check (only_row)
);

comment on table spec_guard is 'One row, written by every new dependency between specifications.';

insert into spec_guard (version) values (0);

-- The words of a specification, apart from it: a change of its status leaves them alone.
create table spec_search (
    spec_id uuid primary key,
    document tsvector not null,
    constraint spec_search_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade
);

-- Serves queries/specs.sql: find_specs.
create index spec_search_by_words on spec_search using gin (document);

comment on table spec_search is 'The text of specifications, prepared for search. By trigger.';
comment on column spec_search.document is
    'The title (weight A) and the first 200,000 characters of the content (weight B).';

-- What full-text search knows of a specification.
create function spec_document(title text, content text, structure jsonb)
    returns tsvector
    language sql
    immutable
    parallel safe
    set search_path from current
return task_document(title, coalesce(content, shared.spec_text(structure)));

comment on function spec_document(text, text, jsonb) is
    'A specification''s title (weight A) and first 200,000 characters of content (weight B).';

-- Refuses a value, and says which field breaks which rule.
create function raise_refusal(field text, rule text)
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD005',
        message = format('%s %s', field, rule),
        detail = format('TD005 %s: %s', field, rule);
end;
$$;

comment on function raise_refusal(text, text) is 'Raises TD005 with the field and the rule.';

-- Refuses a phase that is not as it should be; *place* says which it is.
create function check_phase(place text, phase jsonb)
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
declare
    field text;
begin
    if jsonb_typeof(phase -> 'number') <> 'number'
        or (phase ->> 'number') !~ '^[0-9]{1,4}$' then
        perform raise_refusal(place || '.number', 'must be a whole number from 0 to 9999');
    elsif jsonb_typeof(phase -> 'name') is distinct from 'string'
        or length(phase ->> 'name') not between 1 and 200 then
        perform raise_refusal(place || '.name', 'must be text of 1 to 200 characters');
    elsif jsonb_typeof(phase -> 'hours') not in ('number', 'null') then
        perform raise_refusal(place || '.hours', 'must be a number');
    elsif (phase ->> 'hours')::numeric not between 0 and 999999 then
        perform raise_refusal(place || '.hours', 'must be from 0 to 999999');
    end if;
    foreach field in array array['description', 'content'] loop
        if jsonb_typeof(phase -> field) not in ('string', 'null') then
            perform raise_refusal(place || '.' || field, 'must be text');
        end if;
    end loop;
    if jsonb_typeof(phase -> 'files') not in ('array', 'null')
        or phase @? '$.files[*] ? (@.type() != "string")' then
        perform raise_refusal(place || '.files', 'must be a list of texts');
    end if;
end;
$$;

comment on function check_phase(text, jsonb) is 'Raises TD005 for what is wrong with a phase.';

-- The keys on a shortest way from one specification to another along their dependencies;
-- null if there is none. Breadth first, each specification once.
create function spec_path(from_id uuid, to_id uuid)
    returns text[]
    language plpgsql
    set search_path from current
as $$
declare
    reached uuid[] := array[from_id];
    came_from int[] := array[0];
    n int := 1;
    keys text[] := '{}';
begin
    while reached[n] <> to_id loop
        select
            reached || coalesce(array_agg(edge.depends_on_id), '{}'),
            came_from || coalesce(array_agg(n), '{}')
        into reached, came_from
        from spec_dependencies as edge
        where edge.spec_id = reached[n] and edge.depends_on_id <> all(reached);
        n := n + 1;
    end loop;
    if reached[n] is null then
        return null;
    end if;
    while n > 0 loop
        keys := array(select spec.key from technical_specs as spec where spec.id = reached[n])
            || keys;
        n := came_from[n];
    end loop;
    return keys;
end;
$$;

comment on function spec_path(uuid, uuid) is
    'The keys from a specification to another that it depends on, directly or not; or null.';

-- Numbers a specification that came without a number: the next that nobody has taken by hand.
create function number_spec()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    while new.spec_number is null loop
        new.spec_number := nextval('technical_spec_number');
        if exists (
            select from technical_specs as spec where spec.spec_number = new.spec_number
        ) then
            new.spec_number := null;
        end if;
    end loop;
    return new;
end;
$$;

comment on function number_spec() is 'Gives a specification without a number the next one.';

create trigger technical_specs_50_number
    before insert on technical_specs
    for each row
    execute function number_spec();

-- A change of status must be a row of spec_status_transitions. The first time that a
-- specification goes into progress is kept.
create function refuse_spec_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if not exists (
        select from spec_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('%s cannot go from %s to %s', old.key, old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '.'
                    from spec_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it goes nowhere.'
            );
    end if;
    if new.status = 'in_progress' and new.started_at is null then
        new.started_at := clock_timestamp();
    end if;
    return new;
end;
$$;

comment on function refuse_spec_move() is
    'Refuses a move that is not in spec_status_transitions.';

create trigger technical_specs_10_refuse_move
    before update of status on technical_specs
    for each row
    when (old.status <> new.status)
    execute function refuse_spec_move();

create trigger technical_specs_52_touch_updated_at
    before update on technical_specs
    for each row
    execute function touch_updated_at();

-- The structure of a hierarchical specification is what it should be, or is refused with the
-- phase that is not:
--   overview, architecture, technology_stack   texts, if there
--   phases     a list of at least one object, each with
--     number       0 to 9,999, each once; without it, its place in the list
--     name         a text of 1 to 200 characters, each once
--     description, content   texts, if there
--     hours        a number, not negative, if there
--     files        a list of texts, if there: what its task may change
-- A constraint could refuse as much, and would not say why.
create function check_structure()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    phases jsonb;
    phase jsonb;
    field text;
    numbers int[] := '{}';
    names text[] := '{}';
begin
    if jsonb_typeof(new.structure) is distinct from 'object' then
        -- None, or a constraint refuses it.
        if new.phase is not null then
            perform raise_refusal('phase', 'must be null unless there are phases');
        end if;
        return new;
    end if;
    foreach field in array array['overview', 'architecture', 'technology_stack'] loop
        if jsonb_typeof(new.structure -> field) not in ('string', 'null') then
            perform raise_refusal('structure.' || field, 'must be text');
        end if;
    end loop;

    phases := new.structure -> 'phases';
    if jsonb_typeof(phases) is distinct from 'array' or jsonb_array_length(phases) = 0 then
        perform raise_refusal('structure.phases', 'must be a list of at least one phase');
    end if;
    for place in 0..jsonb_array_length(phases) - 1 loop
        phase := phases -> place;
        field := format('structure.phases[%s]', place);
        if jsonb_typeof(phase) <> 'object' then
            perform raise_refusal(field, 'must be an object');
        end if;
        if not phase ? 'number' then
            phase := jsonb_set(phase, '{number}', to_jsonb(place + 1));
            new.structure := jsonb_set(
                new.structure, array['phases', place::text, 'number'], to_jsonb(place + 1)
            );
        end if;
        perform check_phase(field, phase);
        if (phase ->> 'number')::int = any(numbers) then
            perform raise_refusal(field || '.number', 'must be unique among the phases');
        elsif phase ->> 'name' = any(names) then
            perform raise_refusal(field || '.name', 'must be unique among the phases');
        end if;
        numbers := numbers || (phase ->> 'number')::int;
        names := names || (phase ->> 'name');
    end loop;
    if new.phase <> all(numbers) then
        perform raise_refusal('phase', 'must be the number of one of the phases');
    end if;
    return new;
end;
$$;

comment on function check_structure() is
    'Refuses a structure that is not as it should be, and numbers phases without a number.';

-- (An insert has no column list to wait for; an update may leave both alone.)
create trigger technical_specs_51_check_structure
    before insert or update of structure, phase on technical_specs
    for each row
    execute function check_structure();

-- Keeps what is derived from a specification's text: its phases as rows, and its words.
create function index_spec()
    returns trigger
    language plpgsql
    set search_path from current
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

-- The dependencies between specifications have no cycle: each new one writes spec_guard and
-- then walks, in a statement and so at READ COMMITTED in a snapshot of its own, from what it
-- depends on. Who comes back to where it began has found the loop.
create function refuse_spec_cycle()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    back text[];
begin
    update spec_guard set version = version + 1 where only_row;
    if not found then
        insert into spec_guard (version) values (0) on conflict do nothing;
        update spec_guard set version = version + 1 where only_row;
    end if;
    back := spec_path(new.depends_on_id, new.spec_id);
    if back is not null then
        perform raise_circular_dependency(back[cardinality(back):] || back);
    end if;
    return null;
end;
$$;

comment on function refuse_spec_cycle() is
    'Refuses a dependency that closes a loop of specifications.';

create trigger spec_dependencies_10_refuse_cycle
    after insert on spec_dependencies
    for each row
    execute function refuse_spec_cycle();

create trigger spec_dependencies_10_refuse_change
    before update on spec_dependencies
    for each row
    when ((old.spec_id, old.depends_on_id) is distinct from (new.spec_id, new.depends_on_id))
    execute function refuse_changed_edge();
