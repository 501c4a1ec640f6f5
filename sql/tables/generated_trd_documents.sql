-- Technical requirements (TRD) that a session generated, version after version.
create table generated_trd_documents (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    version integer not null,
    trd_content shared.note_text not null,
    api_specification shared.note_text,
    database_schema shared.note_text,
    architecture_diagram shared.note_text,
    tech_stack_document shared.note_text,
    quality_score shared.percentage,
    validation_report shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint generated_trd_documents_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    -- Serves queries/documents.sql: newest, read backwards.
    constraint generated_trd_documents_version_once_per_session unique (session_id, version),
    constraint generated_trd_documents_version_is_positive check (version > 0)
);

-- Serves queries/documents.sql: list_by_quality, best first.
create index generated_trd_documents_by_quality
    on generated_trd_documents (quality_score desc, id desc)
    where quality_score is not null;

comment on table generated_trd_documents is 'Technical requirements, version by version.';
comment on column generated_trd_documents.version is
    'Counted from 1 on within the session, by trigger.';
comment on column generated_trd_documents.validation_report is
    'The result of its validation, as an object.';
