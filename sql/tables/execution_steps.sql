-- The steps of an execution: each as it was in the workflow at the start, with its status and
-- result. Writing one locks the execution's row first, so sessions that record steps of one
-- execution at once come one after another; executions don't wait for each other.
create table execution_steps (
    execution_id uuid not null,
    key shared.key not null,
    position integer not null,
    title shared.title,
    step_type shared.name_text not null,
    configuration shared.object_json,
    condition shared.condition,
    on_error shared.error_policy not null,
    max_attempts integer not null,
    retry_delay shared.duration not null,
    timeout shared.duration,
    needs shared.name_list not null,
    status shared.step_status not null default 'pending',
    attempt integer not null default 0,
    output shared.object_json,
    error_message text,
    started_at shared.moment,
    -- While it is in progress: the end of its timeout.
    deadline_at shared.moment,
    -- While it is retrying: the start of its next attempt.
    retry_at shared.moment,
    ended_at shared.moment,
    primary key (execution_id, key),
    constraint execution_steps_execution_exists
        foreign key (execution_id) references workflow_executions (id) on delete cascade,
    constraint execution_steps_ended_exactly_at_an_end
        check ((status in ('pending', 'in_progress', 'retrying')) = (ended_at is null)),
    constraint execution_steps_retry_at_exactly_while_retrying
        check ((status = 'retrying') = (retry_at is not null)),
    constraint execution_steps_deadline_only_in_progress
        check (status = 'in_progress' or deadline_at is null)
)
with (fillfactor = 85);

-- Serves queries/executions.sql: overdue_steps.
create index execution_steps_by_deadline
    on execution_steps (deadline_at)
    where deadline_at is not null;

comment on table execution_steps is 'Steps of executions, with their status and result.';
comment on column execution_steps.needs is 'The keys of the steps that it needs.';
comment on column execution_steps.attempt is
    'The number of attempts begun. The end of an attempt names it, and a stale one is refused.';
comment on column execution_steps.output is 'Its result, as an object.';
comment on column execution_steps.deadline_at is 'The end of the current attempt''s timeout.';
comment on column execution_steps.retry_at is 'The earliest start of the next attempt.';
