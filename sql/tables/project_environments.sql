-- The environment variables of a project: secrets. A table of their own keeps them out of every
-- row, view and error of project_contexts, and readers have no right to it.
create table project_environments (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    variables shared.texts_json not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint project_environments_once_per_project unique (project_id),
    constraint project_environments_project_exists
        foreign key (project_id) references project_contexts (id) on delete cascade
);

-- Serves queries/projects.sql: find_by_variable.
create index project_environments_by_variables on project_environments using gin (variables);

comment on table project_environments is
    'Environment variables of projects: secrets, which only writers may read.';
comment on column project_environments.variables is 'Values by name.';
