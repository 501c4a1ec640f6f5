-- A step of a workflow: its action, its condition, and its policy on failure.
create table workflow_steps (
    id uuid primary key default uuidv7(),
    workflow_id uuid not null,
    key shared.key not null,
    -- Not unique: the order among steps that may run at the same time; then by key.
    position integer not null default 1,
    title shared.title,
    step_type shared.name_text not null,
    configuration shared.object_json,
    condition shared.condition,
    on_error shared.error_policy not null default 'stop',
    max_attempts integer not null default 1,
    retry_delay shared.duration not null default '0',
    timeout shared.duration,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint workflow_steps_workflow_exists
        foreign key (workflow_id) references workflows (id) on delete cascade,
    constraint workflow_steps_key_once_per_workflow unique (workflow_id, key),
    constraint workflow_steps_known_with_their_workflow unique (workflow_id, id),
    constraint workflow_steps_position_is_positive check (position > 0),
    constraint workflow_steps_max_attempts_is_positive check (max_attempts > 0),
    constraint workflow_steps_only_retry_tries_again
        check (on_error = 'retry' or max_attempts = 1)
);

comment on table workflow_steps is 'Steps of workflows.';
comment on column workflow_steps.key is 'Its name in the workflow: other steps need it by this.';
comment on column workflow_steps.position is 'Its place among steps that may run at once, from 1.';
comment on column workflow_steps.step_type is
    'Its kind of work: a team''s own word, which its runners know.';
comment on column workflow_steps.configuration is 'Settings for its runner, as an object.';
comment on column workflow_steps.condition is
    'A predicate over the execution''s context, such as $.branch == "main"; null: always.';
comment on column workflow_steps.max_attempts is 'The number of attempts with on_error = retry.';
comment on column workflow_steps.retry_delay is 'The delay of a retry after a failure.';
comment on column workflow_steps.timeout is 'The longest duration of an attempt; null: no limit.';
