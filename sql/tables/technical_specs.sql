-- A technical specification, kept whole: as one text (monolithic), or as JSON with phases
-- (hierarchical), of which one can be read without the rest. Exactly one of the two.
--
-- A structure is an object: overview, architecture and technology_stack are texts, phases a list of
-- objects with number, name, description, hours and content. Other fields are kept. With
-- `"verbatim": true` the overview and the phases' contents, put together, are the document it was
-- made from, to the byte.

-- Numbers specifications created without one.
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
    -- The source of an imported one; null for the others.
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
    -- Implementation tasks refer to it: a specification that has some keeps its type.
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
-- Serves queries/exchange.sql: specs_by_file, and keeps the promise: a file is imported once.
create unique index technical_specs_file_is_imported_once on technical_specs (file_path);

comment on table technical_specs is 'Specifications, content included: no files.';
comment on column technical_specs.key is 'SPEC- and its number. Computed by the server.';
comment on column technical_specs.roadmap_item_id is 'The roadmap item it specifies, as US-116.';
comment on column technical_specs.content is 'The text of a monolithic specification.';
comment on column technical_specs.structure is
    'A hierarchical specification: overview, phases, architecture, technology_stack.';
comment on column technical_specs.file_path is
    'Legacy: the file that an imported specification came from. Never read.';
comment on column technical_specs.total_phases is
    'The number of its phases. Computed by the server.';
comment on column technical_specs.phase_files is
    'The names of its phases, in the order of its list. Computed by the server.';
comment on column technical_specs.phase is
    'The number of the phase that is worked on; a trigger sees that it is one of them.';
comment on column technical_specs.current_phase_status is 'The status of that phase.';
comment on column technical_specs.started_at is 'The moment at which it first went into progress.';
