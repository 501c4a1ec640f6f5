-- A template is files to begin a project with. {{NAME}} in a file stands for a variable.
create table templates (
    id uuid primary key default uuidv7(),
    name shared.title not null,
    description text,
    category shared.template_category not null,
    files shared.texts_json not null,
    required_vars shared.name_list not null default '{}',
    optional_vars shared.name_list not null default '{}',
    tech_stack shared.name_list not null default '{}',
    -- Minutes.
    estimated_setup_time shared.counter,
    complexity shared.complexity not null default 'medium',
    tags shared.name_list not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint templates_variables_required_or_optional
        check (not required_vars::text[] && optional_vars::text[])
);

-- Serve queries/templates.sql: search.
create index templates_by_category on templates (category, created_at, id);
create index templates_by_complexity on templates (complexity, created_at, id);
create index templates_by_creation on templates (created_at, id);
create index templates_by_files on templates using gin (files);
create index templates_by_tech_stack on templates using gin (tech_stack);
create index templates_by_tags on templates using gin (tags);

comment on table templates is 'Files to begin projects with.';
comment on column templates.files is 'Contents by path; {{NAME}} in a content is a variable.';
comment on column templates.required_vars is 'Variables that must be given.';
comment on column templates.optional_vars is 'Variables that may be given; empty otherwise.';
comment on column templates.estimated_setup_time is 'Minutes.';
