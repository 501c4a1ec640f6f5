-- An epic is the largest unit of a plan. Its features, and through them its tasks,
-- go with it when it is deleted.
create table epics (
    id uuid primary key default uuidv7(),
    key text collate "C" not null,
    title shared.title not null,
    description text,
    status shared.plan_status not null default 'draft',
    priority shared.level not null default 'medium',
    business_value shared.level,
    file_path shared.name_text,
    metadata shared.object_json,
    created_by shared.name_text,
    created_at shared.moment not null default now(),
    updated_at timestamptz not null default now(),
    project_id uuid,
    constraint epics_project_exists
        foreign key (project_id) references project_contexts (id) on delete set null,
    constraint epics_key_is_unique unique (key),
    constraint epics_key_is_e_and_digits check (key ~ '^E[0-9]{2,6}$')
);

-- Serves queries/epics.sql: list_epics.
create index epics_by_status on epics (status, key);

-- Serves queries/epics.sql: list_epics, and a project's deletion.
create index epics_by_project on epics (project_id, key) where project_id is not null;

comment on table epics is 'The largest units of a plan.';
comment on column epics.key is 'Its name among people: E04.';
comment on column epics.file_path is 'The place of its document, as the plan''s authors name it.';
comment on column epics.metadata is 'Other tools'' data about it, as an object.';
comment on column epics.project_id is
    'The project that it builds. Deleting a project keeps its plans.';
