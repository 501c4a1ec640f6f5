-- 0005: the types of workflows, their executions, and external dependencies.
-- Locks: none beyond new objects.
-- Check: select 'draft'::shared.workflow_status;  -- expect draft
set local lock_timeout = '2s';

create type workflow_status as enum ('draft', 'active', 'paused', 'completed', 'failed');

comment on type workflow_status is
    'Where a workflow stands. Allowed moves are rows of workflow_status_transitions.';

create type trigger_type as enum ('manual', 'webhook', 'schedule', 'event', 'api');

comment on type trigger_type is 'What starts a workflow.';

create type error_policy as enum ('stop', 'continue', 'retry');

comment on type error_policy is
    'What the failure of a step does. stop: the execution fails. continue: what needs the step '
    'goes on. retry: it is tried again, and after its last attempt the execution fails.';

create type execution_status as enum ('running', 'completed', 'failed', 'cancelled');

comment on type execution_status is 'Where an execution stands; all but running are its end.';

create type step_status as enum (
    'pending', 'in_progress', 'retrying', 'completed', 'failed', 'skipped', 'cancelled'
);

comment on type step_status is
    'Where a step of an execution stands. skipped: its condition did not hold, or a step that it '
    'needs was skipped. cancelled: the execution ended before it did.';

create type pull_request_state as enum ('draft', 'open', 'merged', 'closed');

comment on type pull_request_state is 'Where a pull request stands.';

create type health as enum ('unknown', 'healthy', 'unhealthy');

comment on type health is 'What checks say of an external dependency; unknown hinders nothing.';

create domain duration as interval
    constraint duration_is_not_negative check (value >= interval '0');

comment on domain duration is 'A length of time.';
