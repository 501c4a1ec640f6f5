-- The enumerated types of all workspaces. They live in one schema so that a
-- workspace can be moved between databases that have the same `shared`.

create type task_status as enum (
    'pending', 'blocked', 'in_progress', 'in_review',
    'completed', 'failed', 'cancelled', 'archived'
);

comment on type task_status is
    'Where a task stands. Allowed moves are rows of task_status_transitions.';

create type plan_status as enum ('draft', 'active', 'completed', 'archived');

comment on type plan_status is 'Where an epic or a feature stands.';

create type level as enum ('high', 'medium', 'low');

comment on type level is 'A coarse grade: the priority and business value of an epic.';

create type dependency_type as enum ('requires', 'blocks', 'suggests');

comment on type dependency_type is
    'What satisfies an edge. requires: its blocker is completed, or archived after completion. '
    'blocks: completed, cancelled or archived. suggests: always.';

create type claim_outcome as enum (
    'completed', 'submitted', 'failed', 'released', 'lapsed', 'revoked'
);

comment on type claim_outcome is
    'How an attempt at a task ended. lapsed: another agent took over after the lease. '
    'revoked: the status was changed by someone else.';

create type subtask_status as enum ('pending', 'in_progress', 'completed');

comment on type subtask_status is 'A line of a checklist.';
