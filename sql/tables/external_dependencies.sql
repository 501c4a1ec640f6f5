-- A service, URL or other resource outside that a task or a workflow needs. While a required one is
-- unhealthy its task is not ready, or no task of its workflow.
--
-- taskdb does no checking itself: checkers take those that are due (due_checks), check them, and
-- record the result (record_check). A failure is checked again after retry_delay, then after twice
-- that, and so on, until max_retries are used up: then it is unhealthy, until a check succeeds.
create table external_dependencies (
    id uuid primary key default uuidv7(),
    task_id uuid,
    workflow_id uuid,
    service shared.name_text not null,
    resource shared.name_text,
    validation_rule shared.condition,
    is_required boolean not null default true,
    health shared.health not null default 'unknown',
    check_interval shared.duration not null default '5 minutes',
    timeout shared.duration not null default '30 seconds',
    max_retries integer not null default 3,
    retry_delay shared.duration not null default '10 seconds',
    failed_checks integer not null default 0,
    response shared.object_json,
    error_message text,
    metadata shared.object_json,
    checked_at shared.moment,
    next_check_at shared.moment not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint external_dependencies_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint external_dependencies_workflow_exists
        foreign key (workflow_id) references workflows (id) on delete cascade,
    constraint external_dependencies_of_a_task_or_a_workflow
        check (num_nonnulls(task_id, workflow_id) = 1),
    constraint external_dependencies_max_retries_is_not_negative check (max_retries >= 0),
    constraint external_dependencies_check_interval_is_positive
        check (check_interval > interval '0')
);

-- Serve queries/externals.sql: list_externals. The first two also serve task_blocking_reasons.
create index external_dependencies_by_task on external_dependencies (task_id);
create index external_dependencies_by_workflow on external_dependencies (workflow_id);
create index external_dependencies_by_health on external_dependencies (health, id);
-- Serves queries/externals.sql: due_checks.
create index external_dependencies_by_next_check on external_dependencies (next_check_at, id);

comment on table external_dependencies is
    'Services and resources outside that tasks and workflows need, and their health.';
comment on column external_dependencies.service is 'The name of the service.';
comment on column external_dependencies.resource is
    'Its place: a URL, or a name that its checker knows.';
comment on column external_dependencies.validation_rule is
    'A predicate over a check''s response that healthy ones satisfy: $.status == "ok".';
comment on column external_dependencies.is_required is
    'True if work waits for its recovery; otherwise its health is only shown.';
comment on column external_dependencies.check_interval is
    'The time from a check to the next one, and the longest delay of a retry.';
comment on column external_dependencies.timeout is
    'The time that a check may take: until then no other checker gets it.';
comment on column external_dependencies.max_retries is
    'Number of failed retries in a row after which it is unhealthy.';
comment on column external_dependencies.retry_delay is
    'The delay of the check after a first failure; doubled for each further one.';
comment on column external_dependencies.failed_checks is 'The number of failed checks in a row.';
comment on column external_dependencies.response is 'The result of the latest check.';
comment on column external_dependencies.checked_at is 'The moment of the latest check.';
comment on column external_dependencies.next_check_at is
    'The moment at which it is due for a check.';
