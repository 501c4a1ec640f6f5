-- A workflow is a recipe: steps, in an order that they say themselves by what they need, and
-- when to take them. Each run of it is an execution, which keeps the recipe as it was then.
--
-- Three columns are the machinery's own:
--   graph_version           grows with every change of what steps need: the guard against cycles
--   unhealthy_dependencies  triggers keep it equal to the number of its external dependencies
--                           that are required and unhealthy
--   is_healthy              is written with it; its tasks carry the same (sql/tables/tasks.sql).
--                           As a generated column, every update would lock the row as if
--                           this changed, and make creators of tasks wait.
create table workflows (
    id uuid primary key default uuidv7(),
    name shared.title not null,
    description text,
    status shared.workflow_status not null default 'draft',
    github_repo_url shared.name_text,
    linear_issue_id shared.name_text,
    trigger_type shared.trigger_type not null default 'manual',
    configuration shared.object_json,
    metadata shared.object_json,
    created_by shared.name_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    graph_version bigint not null default 0,
    unhealthy_dependencies shared.counter not null default 0,
    is_healthy boolean not null default true,
    constraint workflows_health_once unique (id, is_healthy),
    constraint workflows_healthy_exactly_without_unhealthy
        check (is_healthy = (unhealthy_dependencies = 0))
);

-- Serve queries/workflows.sql: list_workflows, newest first.
create index workflows_by_creation on workflows (created_at desc, id desc);
create index workflows_by_status on workflows (status, created_at desc, id desc);
create index workflows_by_repository
    on workflows (github_repo_url, created_at desc, id desc)
    where github_repo_url is not null;
-- Serves queries/workflows.sql: find_by_linear_issue.
create index workflows_by_linear_issue on workflows (linear_issue_id, created_at desc);

comment on table workflows is 'Recipes: steps and the events that start them.';
comment on column workflows.github_repo_url is 'The repository that it works on.';
comment on column workflows.linear_issue_id is 'The issue that it implements, as ENG-123.';
comment on column workflows.configuration is
    'Settings for its executions, as an object. Each keeps those of its start.';
comment on column workflows.metadata is 'Other tools'' data about it, as an object.';
comment on column workflows.graph_version is
    'Grows with every change of its steps'' needs. Kept by trigger.';
comment on column workflows.unhealthy_dependencies is
    'The number of its required external dependencies that are unhealthy. Kept by trigger.';
comment on column workflows.is_healthy is
    'True if that is 0. Its tasks refer to the pair of id and this, so they follow it.';
