-- A project is a codebase: its files, dependencies, deployment and quality. Its environment
-- variables are secrets, and in a table of their own.
create table project_contexts (
    id uuid primary key default uuidv7(),
    name shared.title not null,
    type shared.name_text not null,
    status shared.project_status not null default 'active',
    owner_id shared.name_text not null,
    codebase shared.texts_json not null default '{}',
    dependencies shared.name_list not null default '{}',
    deployment_config shared.object_json,
    test_coverage shared.percentage,
    security_score shared.percentage,
    performance_score shared.percentage,
    -- Counted by trigger.
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_deployed_at shared.moment
);

-- Serve queries/projects.sql: list_projects, list_changed.
create index project_contexts_by_owner on project_contexts (owner_id, created_at, id);
create index project_contexts_by_owner_and_status
    on project_contexts (owner_id, status, created_at, id);
create index project_contexts_by_status on project_contexts (status, created_at, id);
create index project_contexts_by_type on project_contexts (type, created_at, id);
create index project_contexts_by_creation on project_contexts (created_at, id);
create index project_contexts_by_change on project_contexts (updated_at, id);

-- Serve queries/projects.sql: find_by_files, find_by_path, find_by_dependencies.
create index project_contexts_by_codebase on project_contexts using gin (codebase);
create index project_contexts_by_dependencies on project_contexts using gin (dependencies);

comment on table project_contexts is 'Projects, with their files.';
comment on column project_contexts.type is 'Its kind, in its owner''s words: api, web_app.';
comment on column project_contexts.codebase is 'Its files: contents by path.';
comment on column project_contexts.dependencies is 'The packages that it needs.';
comment on column project_contexts.test_coverage is 'The tested part of it, 0 to 100.';
comment on column project_contexts.version is
    'One more with every change of the row; who changes it may say which one was seen.';
