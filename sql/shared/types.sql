-- The enumerated types of all workspaces. They live in one schema so that a
-- workspace can be moved between databases that have the same `shared`.

create type task_status as enum (
    'pending', 'blocked', 'in_progress', 'in_review',
    'completed', 'failed', 'cancelled', 'archived'
);

comment on type task_status is
    'Status of a task. Allowed transitions are rows of task_status_transitions.';

create type plan_status as enum ('draft', 'active', 'completed', 'archived');

comment on type plan_status is 'Status of an epic or a feature.';

create type level as enum ('high', 'medium', 'low');

comment on type level is 'A coarse grade: the priority and business value of an epic.';

create type dependency_type as enum (
    'requires', 'blocks', 'suggests', 'cancelled_with', 'compensates'
);

comment on type dependency_type is
    'The rule that satisfies an edge. requires: its blocker is completed, or archived after '
    'completion. blocks: completed, cancelled or archived. suggests: always. cancelled_with: as '
    'requires, and when its blocker fails or is abandoned, the task is cancelled with it. '
    'compensates: its blocker has failed; when that can no longer happen, the task is cancelled.';

create type claim_outcome as enum (
    'completed', 'submitted', 'failed', 'released', 'lapsed', 'revoked'
);

comment on type claim_outcome is
    'The end of an attempt at a task. lapsed: another agent took over after the lease. revoked: '
    'the status was changed by someone else.';

create type subtask_status as enum ('pending', 'in_progress', 'completed');

comment on type subtask_status is 'A line of a checklist.';

create type workflow_status as enum ('draft', 'active', 'paused', 'completed', 'failed');

comment on type workflow_status is
    'Status of a workflow. Allowed transitions are rows of workflow_status_transitions.';

create type trigger_type as enum ('manual', 'webhook', 'schedule', 'event', 'api');

comment on type trigger_type is 'The event that starts a workflow.';

create type error_policy as enum ('stop', 'continue', 'retry');

comment on type error_policy is
    'The effect of a failed step. stop: the execution fails. continue: steps that need it go on. '
    'retry: it is tried again, and after its last attempt the execution fails.';

create type execution_status as enum ('running', 'completed', 'failed', 'cancelled');

comment on type execution_status is 'Status of an execution; all but running are its end.';

create type step_status as enum (
    'pending', 'in_progress', 'retrying', 'completed', 'failed', 'skipped', 'cancelled'
);

comment on type step_status is
    'Status of a step of an execution. skipped: its condition did not hold, or a step that it '
    'needs was skipped. cancelled: the execution ended before it did.';

create type pull_request_state as enum ('draft', 'open', 'merged', 'closed');

comment on type pull_request_state is 'State of a pull request.';

create type health as enum ('unknown', 'healthy', 'unhealthy');

comment on type health is 'Result of the checks of an external dependency; unknown blocks nothing.';

create type project_status as enum ('active', 'archived', 'deleted');

comment on type project_status is
    'Status of a project. deleted: hidden, and still there; projects.delete really deletes.';

create type modification_status as enum ('pending', 'approved', 'applied', 'failed', 'rejected');

comment on type modification_status is
    'Status of a modification. Allowed transitions are rows of modification_status_transitions.';

create type template_category as enum ('api', 'web', 'mobile', 'data', 'microservice');

comment on type template_category is 'The kind of project that a template makes.';

create type complexity as enum ('simple', 'medium', 'complex');

comment on type complexity is 'The experience that a template asks of its users.';

create type spec_status as enum (
    'draft', 'in_review', 'approved', 'in_progress', 'completed', 'archived'
);

comment on type spec_status is
    'Status of a specification. Allowed transitions are rows of spec_status_transitions.';

create type spec_type as enum ('monolithic', 'hierarchical');

comment on type spec_type is
    'The form of a specification. monolithic: one text. hierarchical: JSON with phases.';

create type phase_status as enum ('in_progress', 'completed');

comment on type phase_status is 'Status of the current phase of a specification.';

create type design_job_status as enum ('pending', 'in_progress', 'completed', 'failed');

comment on type design_job_status is 'Status of a design job; completed is its end.';

create type design_output_type as enum (
    'prd', 'design_system', 'ux_flow', 'screen_specs', 'ai_studio_code_path'
);

comment on type design_output_type is
    'A document of a design job. All but ai_studio_code_path are required of it.';

create type session_status as enum ('pending', 'in_progress', 'paused', 'completed', 'failed');

comment on type session_status is
    'Status of a tech-spec session. Allowed transitions are rows of session_status_transitions.';

create type conversation_role as enum ('user', 'agent', 'system');

comment on type conversation_role is 'The author''s role in a conversation.';

-- A task in the hands of its agent: the row of a claim. As a type it is read from the catalogue
-- once; the columns of a `returns table` are put together again by every call.
create type claimed_task as (
    task_id uuid,
    token bigint,
    claimed_by text,
    claimed_at timestamptz,
    lease_expires_at timestamptz,
    key text,
    title text,
    description text,
    priority smallint,
    effective_priority smallint,
    only_agents_of_type text,
    feature_id uuid,
    parent_id uuid,
    estimated_hours numeric,
    requirements jsonb,
    context jsonb,
    metadata jsonb,
    file_path text,
    failed_attempts int,
    place int,
    created_at timestamptz
);

comment on type claimed_task is 'A task, as a claim hands it out.';
