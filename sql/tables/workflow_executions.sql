-- An execution is one run of a workflow. It keeps the configuration as it was at the start, and
-- execution_steps the steps; later changes of the workflow do not affect it.
create table workflow_executions (
    id uuid primary key default uuidv7(),
    workflow_id uuid not null,
    status shared.execution_status not null default 'running',
    trigger_type shared.trigger_type not null default 'manual',
    triggered_by shared.name_text,
    configuration shared.object_json,
    context shared.object_json not null default '{}',
    branch shared.name_text,
    commit_sha shared.name_text,
    pull_request_number integer,
    pull_request_state shared.pull_request_state,
    total_tasks shared.counter,
    completed_tasks shared.counter,
    failed_tasks shared.counter,
    resource_usage shared.object_json,
    error_message text,
    started_at timestamptz not null default now(),
    -- Null while it is running.
    ended_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint workflow_executions_workflow_exists
        foreign key (workflow_id) references workflows (id) on delete cascade,
    constraint workflow_executions_known_with_their_workflow unique (workflow_id, id),
    constraint workflow_executions_ended_exactly_unless_running
        check ((status = 'running') = (ended_at is null)),
    constraint workflow_executions_pull_request_number_is_positive
        check (pull_request_number > 0),
    constraint workflow_executions_state_is_of_a_pull_request
        check (pull_request_state is null or pull_request_number is not null)
);

-- Serves queries/executions.sql: list_executions, and, from the index alone, the views of
-- statistics: docs/decisions/0012-workflow-statistics.md.
create index workflow_executions_by_workflow
    on workflow_executions (workflow_id, started_at desc, id desc)
    include (status, ended_at, total_tasks, completed_tasks, failed_tasks);
-- Serves queries/executions.sql: list_executions, of all workflows.
create index workflow_executions_by_start on workflow_executions (started_at desc, id desc);
-- Serve queries/executions.sql: list_executions, of a pull request or a branch.
create index workflow_executions_by_pull_request
    on workflow_executions (pull_request_number, started_at desc, id desc)
    where pull_request_number is not null;
create index workflow_executions_by_branch
    on workflow_executions (branch, started_at desc, id desc)
    where branch is not null;

-- Serves queries/events.sql: ended_executions.
create index workflow_executions_by_end on workflow_executions (ended_at)
    where ended_at is not null;

comment on table workflow_executions is 'Runs of workflows.';
comment on column workflow_executions.triggered_by is 'The user or event that started it.';
comment on column workflow_executions.configuration is 'The workflow''s, as it was at the start.';
comment on column workflow_executions.context is
    'The values that conditions read: given at the start, and added to by steps.';
comment on column workflow_executions.total_tasks is
    'The number of its tasks at its end: the runner''s figure, else its rows of tasks.';
comment on column workflow_executions.completed_tasks is 'The number of completed ones among them.';
comment on column workflow_executions.failed_tasks is 'The number of failed ones among them.';
comment on column workflow_executions.resource_usage is
    'Its resource usage, as measured by its runner: an object.';
comment on column workflow_executions.error_message is 'The reason of its failure or cancellation.';
