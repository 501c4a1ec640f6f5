-- 0001: one workspace, whole.
-- Generated from sql/workspace.sql by `make squash`: edit there.
-- Locks: none beyond new objects.
-- Check: select count(*) from task_status_transitions;  -- expect 21
set local lock_timeout = '2s';

-- Moves updated_at forward on every update, even when the clock steps back.
create function touch_updated_at()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
    return new;
end;
$$;

comment on function touch_updated_at() is 'Keeps updated_at: it grows with every update.';

-- A change of status must be a row of the table's own transitions. The trigger's arguments are the
-- name of that table, the row's name in messages (its key, if nothing), and the hint where no
-- transition leads on.
create function refuse_transition()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    allowed text[];
    subject text := coalesce(nullif(tg_argv[1], ''), to_jsonb(old) ->> 'key');
begin
    -- The text is the same for all rows of a trigger: the typed table to read.
    execute format(
        'select array_agg(allowed.new_status order by allowed.new_status)::text[]'
        ' from %I as allowed where allowed.old_status = $1',
        tg_argv[0]
    )
    into allowed
    using old.status;
    if new.status::text = any (allowed) then
        return new;
    end if;
    raise exception using
        errcode = 'TD001',
        message = format('%s cannot go from %s to %s', subject, old.status, new.status),
        detail = format('TD001 %s -> %s', old.status, new.status),
        hint = coalesce(
            'From here it can go to ' || array_to_string(allowed, ', ') || '.',
            concat_ws('; ', 'From here it goes nowhere', nullif(tg_argv[2], '')) || '.'
        );
end;
$$;

comment on function refuse_transition() is
    'Refuses a transition that is not in the table of transitions that its trigger names.';

-- Writes the guard that the trigger names, once a statement: the row again for each changed one
-- would take time with the square of their number.
create function write_guard()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    insert into guards (name) values (tg_argv[0])
    on conflict (name) do update set version = guards.version + 1;
    return null;
end;
$$;

comment on function write_guard() is
    'Makes two statements that change the same kind of thing meet.';

-- Transactions that must not miss each other write the same row here first: at READ COMMITTED the
-- second waits and then sees the first; at the higher levels it fails with 40001. Such changes
-- are rare, and nothing waits for another guard.
create table guards (
    name text primary key,
    version bigint not null default 0
);

comment on table guards is
    'A row for each kind of change that has to see all others of its kind.';
comment on column guards.name is 'The changes: parents, pauses or spec_dependencies.';
comment on column guards.version is 'Grows with each statement that makes such changes.';

insert into guards (name) values ('parents'), ('pauses'), ('spec_dependencies');

-- A project is a codebase: its files, dependencies, deployment and quality. Its environment
-- variables are secrets, and in a table of their own.
create table project_contexts (
    id uuid primary key default uuidv7(),
    name shared.title not null,
    type shared.name_text not null,
    status shared.project_status not null default 'active',
    owner_id shared.name_text not null,
    codebase shared.texts_json not null default '{}',
    dependencies shared.name_list not null default '{}',
    deployment_config shared.object_json,
    test_coverage shared.percentage,
    security_score shared.percentage,
    performance_score shared.percentage,
    -- Counted by trigger.
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_deployed_at shared.moment
);

-- Serve queries/projects.sql: list_projects, list_changed.
create index project_contexts_by_owner on project_contexts (owner_id, created_at, id);
create index project_contexts_by_owner_and_status
    on project_contexts (owner_id, status, created_at, id);
create index project_contexts_by_status on project_contexts (status, created_at, id);
create index project_contexts_by_type on project_contexts (type, created_at, id);
create index project_contexts_by_creation on project_contexts (created_at, id);
create index project_contexts_by_change on project_contexts (updated_at, id);

-- Serve queries/projects.sql: find_by_files, find_by_path, find_by_dependencies.
create index project_contexts_by_codebase on project_contexts using gin (codebase);
create index project_contexts_by_dependencies on project_contexts using gin (dependencies);

comment on table project_contexts is 'Projects, with their files.';
comment on column project_contexts.type is 'Its kind, in its owner''s words: api, web_app.';
comment on column project_contexts.codebase is 'Its files: contents by path.';
comment on column project_contexts.dependencies is 'The packages that it needs.';
comment on column project_contexts.test_coverage is 'The tested part of it, 0 to 100.';
comment on column project_contexts.version is
    'One more with every change of the row; who changes it may say which one was seen.';

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

-- The allowed transitions of a modification, as rows: a team may allow more, or fewer.
create table modification_status_transitions (
    old_status shared.modification_status not null,
    new_status shared.modification_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint modification_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table modification_status_transitions is 'The changes of a modification''s status.';

insert into modification_status_transitions (old_status, new_status, meaning) values
    ('pending', 'approved', 'shall be made'),
    ('pending', 'rejected', 'shall not be made'),
    ('approved', 'applied', 'is in the codebase'),
    ('approved', 'failed', 'could not be made'),
    ('approved', 'rejected', 'shall not be made after all'),
    ('failed', 'approved', 'shall be tried again');

-- A modification is a change of a project: requested, decided, and applied to its files.
create table modifications (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    request shared.note_text not null,
    requested_by shared.name_text not null,
    requested_at timestamptz not null default now(),
    impact_analysis shared.object_json,
    affected_files shared.name_list not null default '{}',
    status shared.modification_status not null default 'pending',
    -- Written by triggers, as the moments are.
    base_version bigint not null default 0,
    approved_at timestamptz,
    applied_at timestamptz,
    ended_at timestamptz,
    modified_files shared.changes_json,
    test_results shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint modifications_project_exists
        foreign key (project_id) references project_contexts (id) on delete cascade,
    constraint modifications_applied_at_exactly_when_applied
        check ((status = 'applied') = (applied_at is not null)),
    constraint modifications_ended_exactly_at_an_end
        check ((status in ('applied', 'failed', 'rejected')) = (ended_at is not null)),
    constraint modifications_applied_with_files
        check (status <> 'applied' or modified_files is not null)
);

-- Serve queries/modifications.sql: list_modifications.
create index modifications_by_project on modifications (project_id, requested_at, id);
create index modifications_by_project_and_status
    on modifications (project_id, status, requested_at, id);
create index modifications_by_requester on modifications (requested_by, requested_at, id);
create index modifications_by_status on modifications (status, requested_at, id);
create index modifications_by_request on modifications (requested_at, id);

-- Serve queries/modifications.sql: find_by_impact, find_by_test_results.
create index modifications_by_impact on modifications using gin (impact_analysis);
create index modifications_by_test_results on modifications using gin (test_results);

comment on table modifications is 'Changes to projects: asked for, decided upon, applied.';
comment on column modifications.base_version is
    'The project''s version when it was asked for, or approved: it is applied to no other.';
comment on column modifications.affected_files is 'The paths it is expected to touch.';
comment on column modifications.ended_at is
    'The moment at which it was applied or rejected, or failed.';
comment on column modifications.modified_files is
    'The files it changed: new contents by path, null for a deleted one.';

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

-- An epic is the largest unit of a plan. Its features, and through them its tasks,
-- go with it when it is deleted.
create table epics (
    id uuid primary key default uuidv7(),
    key text collate "C" not null,
    title shared.title not null,
    description text,
    status shared.plan_status not null default 'draft',
    priority shared.level not null default 'medium',
    business_value shared.level,
    file_path shared.name_text,
    metadata shared.object_json,
    created_by shared.name_text,
    created_at shared.moment not null default now(),
    updated_at timestamptz not null default now(),
    project_id uuid,
    constraint epics_project_exists
        foreign key (project_id) references project_contexts (id) on delete set null,
    constraint epics_key_is_unique unique (key),
    constraint epics_key_is_e_and_digits check (key ~ '^E[0-9]{2,6}$')
);

-- Serves queries/epics.sql: list_epics.
create index epics_by_status on epics (status, key);

-- Serves queries/epics.sql: list_epics, and a project's deletion.
create index epics_by_project on epics (project_id, key) where project_id is not null;

comment on table epics is 'The largest units of a plan.';
comment on column epics.key is 'Its name among people: E04.';
comment on column epics.file_path is 'The place of its document, as the plan''s authors name it.';
comment on column epics.metadata is 'Other tools'' data about it, as an object.';
comment on column epics.project_id is
    'The project that it builds. Deleting a project keeps its plans.';

-- A feature is a part of an epic; tasks belong to features.
create table features (
    id uuid primary key default uuidv7(),
    epic_id uuid not null,
    key text collate "C" not null,
    title shared.title not null,
    description text,
    status shared.plan_status not null default 'draft',
    -- A cache. The truth is the view feature_progress; update_progress refreshes it.
    progress_pct numeric(5, 2) not null default 0,
    -- The counts it was computed from, by which taskdb doctor tells a wrong figure from an old one.
    progress_completed_count integer not null default 0,
    progress_counted_count integer not null default 0,
    execution_order integer,
    file_path shared.name_text,
    metadata shared.object_json,
    created_by shared.name_text,
    created_at shared.moment not null default now(),
    updated_at timestamptz not null default now(),
    constraint features_epic_exists
        foreign key (epic_id) references epics (id) on delete cascade,
    constraint features_key_is_unique unique (key),
    constraint features_key_is_epic_and_f_and_digits
        check (key ~ '^E[0-9]{2,6}-F[0-9]{2,6}$'),
    constraint features_progress_pct_is_0_to_100_per_cent check (progress_pct between 0 and 100)
);

-- Serves queries/features.sql: list_features, and the deletion of an epic.
create index features_by_epic on features (epic_id, execution_order, key);
-- Serves queries/features.sql: list_features.
create index features_by_status on features (status, key);

comment on table features is 'The parts of an epic, to which tasks belong.';
comment on column features.key is 'Its epic''s key and a number of its own: E04-F01.';
comment on column features.progress_pct is
    'Completed tasks in per cent when update_progress last ran; feature_progress is exact.';
comment on column features.progress_completed_count is
    'The completed tasks that progress_pct was computed from.';
comment on column features.progress_counted_count is
    'The tasks, without cancelled ones, that progress_pct was computed from.';
comment on column features.execution_order is 'Its place among its epic''s features; null: none.';
comment on column features.file_path is
    'The place of its document, as the plan''s authors name it.';
comment on column features.metadata is 'Other tools'' data about it, as an object.';

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

-- The allowed transitions of a workflow, as rows: a team may allow more, or fewer.
create table workflow_status_transitions (
    old_status shared.workflow_status not null,
    new_status shared.workflow_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint workflow_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table workflow_status_transitions is 'The changes of a workflow''s status.';

insert into workflow_status_transitions (old_status, new_status, meaning) values
    ('draft', 'active', 'taken into use'),
    ('active', 'paused', 'starts nothing for a while'),
    ('active', 'completed', 'has served its purpose'),
    ('active', 'failed', 'does not work'),
    ('paused', 'active', 'taken into use again'),
    ('paused', 'completed', 'has served its purpose'),
    ('paused', 'failed', 'does not work'),
    ('failed', 'draft', 'back to the drawing board'),
    ('failed', 'active', 'mended');

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

-- A step begins when the steps that it needs are done. Both are of one workflow, by the foreign
-- keys, and the graph has no cycle, by a trigger.
create table workflow_step_needs (
    workflow_id uuid not null,
    step_id uuid not null,
    needs_id uuid not null,
    primary key (workflow_id, step_id, needs_id),
    constraint workflow_step_needs_step_exists
        foreign key (workflow_id, step_id)
        references workflow_steps (workflow_id, id) on delete cascade,
    constraint workflow_step_needs_needs_exists
        foreign key (workflow_id, needs_id)
        references workflow_steps (workflow_id, id) on delete cascade
);

-- Serves queries/workflows.sql: list_steps, and the deletion of a step that others need.
create index workflow_step_needs_by_needed on workflow_step_needs (workflow_id, needs_id);

comment on table workflow_step_needs is 'step_id begins when needs_id is done.';

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

-- A task is a unit of work that one agent does. It has two rows: this narrow one changes with
-- every transition, so it has few columns and only the indexes that claims, deadlines and lists
-- by status need; task_details holds what people write. The view full_tasks joins the two.
--
-- The live claim is state and stands here (claim_agent, claim_token, lease_expires_at). Its record
-- is history: the view task_claims reads it there.
--
-- The machinery's own columns, which no statement sets, but for a load that has computed three of
-- them (functions/verify_precomputed.sql):
--   open_dependencies       equals the number of its unsatisfied dependencies
--   unhealthy_dependencies  equals the number of its required external dependencies that fail
--   workflow_is_healthy     equals is_healthy of its workflow, by a foreign key
--   effective_priority      the most urgent of its own priority and its dependents'
--   claim_token             grows by one with every claim: the fence against zombies
--   graph_rank              a blocker's rank is below its dependents' ranks
--   status_seq              the seq of its latest row in task_history
--   has_files, has_dependents
--                           false if it never had any: then they are not looked up
--   is_passed_on            false if its changes concern no other task: then tasks_90_pass_on is
--                           not run
--   reserved_for, for_type, place, is_ready
--                           follow from other columns, for the indexes of the claim. Generated
--                           columns would be parsed again in every statement, as CHECKs are.
-- Seven columns are transition metadata: a statement sets the author, reason and force of a change
-- of status, the outcome and next status of a claim, and for an importer the tracker and the
-- moment; a trigger moves them into history and clears them.
--
-- No rule over two columns is a CHECK here: PostgreSQL parses such a rule again in every
-- statement, an eighth of the cost of a claim. The triggers hold them (apply_task_change), and
-- `taskdb doctor` verifies them. docs/decisions/0018-task-core.md

-- The distance leaves room to place a task between two others. See
-- docs/decisions/0001-dependency-graph.md.
create sequence task_graph_rank as bigint increment by 4294967296 minvalue 0 start with 0;

comment on sequence task_graph_rank is 'The graph_rank of the next task.';

-- Generates keys for tasks created without one.
create sequence task_number as bigint;

comment on sequence task_number is 'The number in the key of the next task without one: T-17.';

create table tasks (
    -- The order saves work at each transition. The log of an update leaves out what is the same at
    -- the row's two ends, so what changes stands together. And every update asks of each indexed
    -- column whether it changes; its place is known where all before it have a fixed width and a
    -- value, else it is counted from the start of the row.
    id uuid primary key default uuidv7(),
    created_at timestamptz not null default now(),
    -- Its place among equals: without execution_order the last.
    place integer not null default 2147483647,
    unhealthy_dependencies integer not null default 0,
    effective_priority shared.priority not null default 5,
    workflow_is_healthy boolean not null default true,
    is_due boolean not null default true,
    waits_for_slot boolean not null default false,
    -- From here to claim_agent a claim and its end change them.
    -- Claimable, but for file locks of other tasks.
    is_ready boolean not null default true,
    status shared.task_status not null default 'pending',
    status_seq integer not null default 1,
    claim_token bigint not null default 0,
    updated_at timestamptz not null default now(),
    started_at timestamptz,
    lease_expires_at shared.moment,
    completed_at timestamptz,
    claim_request_id uuid,
    -- The lane of a claim: its reserved agent, and its type; '' is any.
    reserved_for text collate "C" not null default '',
    for_type text collate "C" not null default '',
    key shared.key not null,
    claim_agent shared.name_text,
    title shared.title not null,
    -- 1 is the most urgent, 10 the least.
    priority shared.priority not null default 5,
    execution_order integer,
    agent_type shared.name_text,
    assigned_agent shared.name_text,
    concurrency_key shared.name_text,
    workflow_id uuid,
    workflow_execution_id uuid,
    scheduled_at shared.moment,
    max_attempts shared.counter not null default 10,
    version integer not null default 1,
    graph_rank bigint not null default nextval('task_graph_rank'),
    details_follow boolean,
    is_paused boolean not null default false,
    has_files boolean not null default false,
    has_dependents boolean not null default false,
    is_passed_on boolean not null default false,
    open_dependencies integer not null default 0,
    failed_attempts shared.counter not null default 0,
    blocked_at timestamptz,
    progress_pct shared.score,
    progress_note text,
    blocked_reason shared.note_text,
    error_message text,
    -- Transition metadata: null at rest.
    status_agent text,
    status_note text,
    status_forced boolean,
    status_outcome shared.claim_outcome,
    status_ending shared.task_status,
    status_source shared.name_text,
    status_at timestamptz,
    -- Deleting a workflow keeps its tasks; until then they follow its health.
    constraint tasks_workflow_exists
        foreign key (workflow_id, workflow_is_healthy)
        references workflows (id, is_healthy)
        on update cascade on delete set null (workflow_id),
    constraint tasks_execution_exists
        foreign key (workflow_execution_id) references workflow_executions (id)
        on delete set null,
    constraint tasks_execution_is_of_its_workflow
        foreign key (workflow_id, workflow_execution_id)
        references workflow_executions (workflow_id, id)
        on delete set null (workflow_execution_id),
    constraint tasks_key_is_unique unique (key)
)
with (fillfactor = 70);

-- Serve functions/claim_tasks.sql, a lane each, in the exact order of the claim: the first for
-- agents that name a type, the second for those that take every type. The three indexes of ready
-- tasks differ in their conditions, so that none can be taken for another whatever the statistics.
create index tasks_to_claim_by_type
    on tasks (reserved_for, for_type, effective_priority, place, created_at, id)
    where is_ready;
create index tasks_to_claim
    on tasks (reserved_for, effective_priority, place, created_at, id)
    where is_ready and unhealthy_dependencies = 0;
-- Serves queries/tasks.sql: list_ready and list_blocked, for any agent, as claims order them.
create index tasks_open_in_order
    on tasks (status, is_ready, effective_priority, place, created_at, id)
    where status in ('pending', 'blocked');
-- The planner takes a column with one value for one that equality does not narrow.
alter table tasks alter column reserved_for set (n_distinct = 1000);
alter table tasks alter column for_type set (n_distinct = 1000);
-- Serves functions/offer_slots.sql: the tasks that are set aside, lane by lane.
create index tasks_waiting_for_slot
    on tasks (
        concurrency_key, reserved_for, for_type, effective_priority, place, created_at, id
    )
    where waits_for_slot;
-- Serve functions/pass_time.sql: overdue tasks. The second: queries/tasks.sql: list_tasks.
create index tasks_by_lease on tasks (lease_expires_at) where lease_expires_at is not null;
create index tasks_by_schedule on tasks (is_due, scheduled_at) where scheduled_at is not null;
-- Keeps the promise: a request is answered by one claim, however often it is sent.
create unique index tasks_one_claim_per_request
    on tasks (claim_request_id)
    where claim_request_id is not null;
-- Serve queries/tasks.sql: list_tasks, newest first. Indexes of rarely used columns are partial, so
-- a transition of most tasks writes no entry there.
create index tasks_by_status on tasks (status, created_at desc);
create index tasks_by_workflow on tasks (workflow_id, created_at desc, id desc)
    where workflow_id is not null;
create index tasks_by_execution on tasks (workflow_execution_id, workflow_id)
    where workflow_execution_id is not null;

comment on table tasks is
    'Units of work, of every kind: the columns that transitions change. See task_details.';
comment on column tasks.key is
    'Its name among people and tools: up to 100 characters, compared byte for byte.';
comment on column tasks.workflow_id is 'The workflow that it serves.';
comment on column tasks.workflow_execution_id is
    'The execution that it is a part of, of that workflow.';
comment on column tasks.priority is '1 (most urgent) to 10.';
comment on column tasks.effective_priority is
    'The priority that claims go by: the most urgent of its own and the effective ones of all '
    'tasks that wait for it by requires or blocks, except abandoned ones: cancelled, or '
    'archived without completion. Kept by triggers.';
comment on column tasks.agent_type is 'Only agents of this type can claim it; null: all.';
comment on column tasks.assigned_agent is
    'A planner''s reservation: only this agent can claim it; null: all.';
comment on column tasks.concurrency_key is
    'Tasks of one key are in progress at most as many at a time as the key has slots.';
comment on column tasks.waits_for_slot is
    'Ready but for a slot of its concurrency key, and so out of line until one is free. Kept by '
    'triggers.';
comment on column tasks.execution_order is 'The planner''s order among equals; null comes last.';
comment on column tasks.blocked_reason is
    'The reason why it is on hold, whatever its dependencies.';
comment on column tasks.error_message is 'The error of its last failed attempt.';
comment on column tasks.scheduled_at is 'The earliest moment of a claim.';
comment on column tasks.max_attempts is
    'After this many failed or lapsed attempts it has failed.';
comment on column tasks.failed_attempts is 'Attempts that failed or lapsed so far.';
comment on column tasks.started_at is 'The moment at which it last went into progress.';
comment on column tasks.version is
    'Counts edits of this row by people; with the version of task_details, that of the task.';
comment on column tasks.open_dependencies is
    'The number of its unsatisfied dependencies. Kept by triggers.';
comment on column tasks.unhealthy_dependencies is
    'The number of its required external dependencies that are unhealthy. Kept by triggers.';
comment on column tasks.workflow_is_healthy is
    'True if everything that its workflow requires is healthy. Kept by the foreign key.';
comment on column tasks.is_due is
    'True if its schedule has passed; false until a claim finds scheduled_at overdue.';
comment on column tasks.is_paused is 'True if claiming is paused for it: see claim_pauses.';
comment on column tasks.has_files is
    'True if it is an implementation task with assigned files. Kept by triggers.';
comment on column tasks.has_dependents is
    'True if a task has ever waited for it by requires or blocks. Kept by triggers.';
comment on column tasks.is_passed_on is
    'True if a change of the task can concern others: its dependents or its blockers. Kept by '
    'triggers.';
comment on column tasks.claim_token is
    'The fencing token of the latest claim. It only grows, by trigger.';
comment on column tasks.claim_agent is 'The holder of the live claim; null: there is none.';
comment on column tasks.claim_request_id is
    'The request that the live claim answers, so that asking again returns the same claim.';
comment on column tasks.lease_expires_at is
    'After this moment the claim lapses and the task is handed out again.';
comment on column tasks.progress_pct is 'Progress of the last heartbeat: 0 to 100.';
comment on column tasks.progress_note is 'Note of the last heartbeat.';
comment on column tasks.graph_rank is
    'A blocker''s rank is below the rank of each of its dependents. Kept by triggers.';
comment on column tasks.status_seq is
    'The seq of its latest row in task_history; 0 in a statement: the change is automatic.';
comment on column tasks.status_agent is
    'The author of a change of status: set together with it; moved into task_history by trigger.';
comment on column tasks.status_note is
    'The reason of a change of status: set together with it; moved into task_history by trigger.';
comment on column tasks.status_forced is
    'True overrides task_status_transitions: set together with status; moved into task_history.';
comment on column tasks.status_outcome is
    'The outcome of the live claim: set together with status; moved into task_history. Without '
    'it a claim that ends was revoked.';
comment on column tasks.status_ending is
    'The status at the end of its live claim: set by a holder, who may not set the status, in '
    'its place. Cleared by trigger.';
comment on column tasks.status_source is
    'The tracker where the status changed: set together with it by an importer; moved into '
    'task_history by trigger.';
comment on column tasks.status_at is
    'The moment of the change there; counts with status_source only. Cleared by trigger.';
comment on column tasks.details_follow is
    'True: the inserting transaction writes the row of task_details itself, and changes until '
    'then are part of its creation (bulk loads). Then open_dependencies, has_dependents and '
    'effective_priority may be given as well.';
comment on column tasks.reserved_for is 'assigned_agent, or an empty text. Kept by triggers.';
comment on column tasks.for_type is 'agent_type, or an empty text. Kept by triggers.';
comment on column tasks.place is 'execution_order, or the greatest integer. Kept by triggers.';
comment on column tasks.is_ready is
    'True if it can be claimed, but for file locks of other tasks. Kept by triggers.';

-- A task's text and plan: one row for each row of tasks, with the indexes of the list filters. A
-- transition does not write it. An insert into tasks alone adds its row by trigger.
create table task_details (
    task_id uuid primary key,
    description text,
    feature_id uuid,
    parent_id uuid,
    complexity_score shared.score,
    estimated_hours shared.hours,
    actual_hours shared.hours,
    requirements shared.object_json,
    context shared.object_json,
    metadata shared.object_json,
    labels shared.name_list not null default '{}',
    file_path shared.name_text,
    created_by shared.name_text,
    -- The back-off of failed attempts: functions/retry_pause.sql.
    retry_delay shared.duration,
    retry_factor shared.factor,
    max_retry_delay shared.duration,
    version integer not null default 1,
    -- Copies from tasks, for the indexes below; kept by trigger.
    priority shared.priority not null default 5,
    agent_type shared.name_text,
    assigned_agent shared.name_text,
    created_at shared.moment not null default now(),
    updated_at shared.moment not null default now(),
    constraint task_details_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_details_feature_exists
        foreign key (feature_id) references features (id) on delete cascade,
    constraint task_details_parent_exists
        foreign key (parent_id) references tasks (id) on delete cascade
);

-- Serve queries/tasks.sql: list_tasks, newest first, and the deletion of what tasks belong to.
create index task_details_by_creation on task_details (created_at desc, task_id desc);
create index task_details_by_feature
    on task_details (feature_id, created_at desc, task_id desc)
    where feature_id is not null;
create index task_details_by_parent
    on task_details (parent_id, created_at desc, task_id desc)
    where parent_id is not null;
create index task_details_by_creator
    on task_details (created_by, created_at desc, task_id desc)
    where created_by is not null;
create index task_details_by_priority on task_details (priority, created_at desc, task_id desc);
create index task_details_by_agent_type
    on task_details (agent_type, created_at desc, task_id desc)
    where agent_type is not null;
create index task_details_by_assigned_agent
    on task_details (assigned_agent, created_at desc, task_id desc)
    where assigned_agent is not null;
create index task_details_by_label on task_details using gin (labels) where labels <> '{}';
-- The planner takes a feature for a part of the plan, however few features there are: the progress
-- of a small one does not read the tasks of a large one.
alter table task_details alter column feature_id set (n_distinct = 1000);

comment on table task_details is 'Text and plan of tasks, one row for each task.';
comment on column task_details.parent_id is
    'The task it is a part of. The parent tree blocks nothing.';
comment on column task_details.complexity_score is 'Estimated complexity, 0 to 100.';
comment on column task_details.requirements is 'The requirements of the work, as an object.';
comment on column task_details.context is 'Knowledge for the worker, as an object.';
comment on column task_details.metadata is 'Other tools'' data about it, as an object.';
comment on column task_details.labels is 'Labels, in the order given.';
comment on column task_details.file_path is
    'The place of its document, as the plan''s authors name it.';
comment on column task_details.retry_delay is
    'The delay of a retry after its first failure; null: the failed claim sets it.';
comment on column task_details.retry_factor is
    'The multiplier of the delay for each further failure; null: 2. Of no effect without '
    'retry_delay.';
comment on column task_details.max_retry_delay is
    'The longest delay; null: an hour. Of no effect without retry_delay.';
comment on column task_details.version is
    'Counts edits of this row; with the version of tasks, that of the task.';
comment on column task_details.priority is 'The priority in tasks. Kept by trigger.';
comment on column task_details.agent_type is 'The agent_type in tasks. Kept by trigger.';
comment on column task_details.assigned_agent is 'The assigned_agent in tasks. Kept by trigger.';
comment on column task_details.created_at is 'The created_at in tasks. Kept by trigger.';

-- Claiming is paused for a part of the plan: an epic, a feature, an agent type, or, where a row
-- names none of them, the whole workspace. Pausing writes the tasks' rows (is_paused), so a claim
-- looks at no pause; work that is under way goes on.
create table claim_pauses (
    id uuid primary key default uuidv7(),
    epic_id uuid,
    feature_id uuid,
    agent_type shared.name_text,
    reason text,
    created_by shared.name_text,
    created_at timestamptz not null default now(),
    constraint claim_pauses_epic_exists
        foreign key (epic_id) references epics (id) on delete cascade,
    constraint claim_pauses_feature_exists
        foreign key (feature_id) references features (id) on delete cascade,
    constraint claim_pauses_one_scope check (num_nonnulls(epic_id, feature_id, agent_type) <= 1),
    constraint claim_pauses_once_per_scope
        unique nulls not distinct (epic_id, feature_id, agent_type)
);

-- Serves the deletion of features.
create index claim_pauses_by_feature on claim_pauses (feature_id);

comment on table claim_pauses is 'Parts of the plan of which no task can be claimed.';
comment on column claim_pauses.epic_id is 'The paused epic. All three null: the whole workspace.';
comment on column claim_pauses.feature_id is 'The paused feature.';
comment on column claim_pauses.agent_type is 'The paused agent type.';
comment on column claim_pauses.reason is 'The reason.';
comment on column claim_pauses.created_by is 'The author of the pause.';

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

-- The words of a task, apart from the task: a change of status writes a new version of
-- the task into every index of `tasks`, and a full-text index is the dearest of all.
create table task_search (
    task_id uuid primary key,
    title text not null,
    document tsvector not null,
    constraint task_search_task_exists
        foreign key (task_id) references tasks (id) on delete cascade
);

-- Serves queries/search.sql: find_tasks.
create index task_search_by_words on task_search using gin (document);
-- Serves queries/tasks.sql: find_similar.
create index task_search_by_trigrams on task_search using gin (title shared.gin_trgm_ops);

comment on table task_search is 'The text of tasks, prepared for search. Written by trigger.';
comment on column task_search.document is
    'The title (weight A) and the first 200,000 characters of the description (weight B).';

-- The allowed transitions, as rows: a team may allow more, or fewer. What is finished
-- (completed, failed, cancelled, archived) reopens only by force.
create table task_status_transitions (
    old_status shared.task_status not null,
    new_status shared.task_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint task_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table task_status_transitions is
    'The changes of status that need no force.';

-- While no row was ever taken out, claims and completions are not looked up: see
-- triggers/tasks_50_apply_change.sql.
create sequence task_status_transition_removals as bigint;

comment on sequence task_status_transition_removals is
    'Counts removals from task_status_transitions, also those that were rolled back.';

insert into task_status_transitions (old_status, new_status, meaning) values
    ('pending', 'blocked', 'a dependency opened, or someone holds it back'),
    ('pending', 'in_progress', 'work begins'),
    ('pending', 'cancelled', 'no longer wanted'),
    ('blocked', 'pending', 'nothing holds it back any more'),
    ('blocked', 'cancelled', 'no longer wanted'),
    ('in_progress', 'pending', 'given back'),
    ('in_progress', 'blocked', 'something holds it back'),
    ('in_progress', 'in_review', 'work submitted for review'),
    ('in_progress', 'completed', 'work done'),
    ('in_progress', 'failed', 'work failed'),
    ('in_progress', 'cancelled', 'no longer wanted'),
    ('in_review', 'in_progress', 'review asks for more work, done at once'),
    ('in_review', 'pending', 'review asks for more work'),
    ('in_review', 'blocked', 'something holds it back'),
    ('in_review', 'completed', 'approved'),
    ('in_review', 'failed', 'rejected'),
    ('in_review', 'cancelled', 'no longer wanted'),
    ('completed', 'archived', 'put away'),
    ('failed', 'archived', 'put away'),
    ('failed', 'cancelled', 'abandoned'),
    ('cancelled', 'archived', 'put away');

-- Every change of a task's status, and its creation, by whatever route. Only triggers write it;
-- rows imported from another tracker carry their source and keep their own times; those of before
-- the import count downwards from 0.
--
-- It is the record of claims as well: the row that a claim begins with carries its token, the
-- row that ends it the token and the outcome. The view task_claims joins the two.
create table task_history (
    task_id uuid not null,
    seq integer not null,
    old_status shared.task_status,
    new_status shared.task_status not null,
    forced boolean not null default false,
    automatic boolean not null default false,
    outcome shared.claim_outcome,
    token bigint,
    created_at timestamptz not null default clock_timestamp(),
    agent shared.name_text not null,
    note text,
    source shared.name_text,
    progress_pct shared.score,
    progress_note text,
    login_role text collate "C" not null default session_user,
    -- Keeps the promise: one row a change.
    constraint task_history_seq_once_per_task primary key (task_id, seq),
    constraint task_history_task_exists
        foreign key (task_id) references tasks (id) on delete cascade
);

-- Serves queries/history.sql and queries/flow.sql: all changes, and those of one agent, which are
-- picked out of it: an index of their own would cost each transition more than it saves them.
create index task_history_by_time on task_history (created_at, agent);

comment on table task_history is
    'Every change of status: who, when, why; and with it every claim. Written by trigger.';
comment on column task_history.seq is
    'Counts a task''s rows from 1; the highest is its present status. 0 and below: came with it.';
comment on column task_history.old_status is 'Null: the task was created.';
comment on column task_history.agent is
    'The author: as the statement names it, else session_user; taskdb for automatic changes.';
comment on column task_history.forced is 'The change was forced past task_status_transitions.';
comment on column task_history.automatic is
    'The change follows from another one, or from time: no statement of a role can say so.';
comment on column task_history.outcome is 'The outcome of the claim that this change ends.';
comment on column task_history.token is 'The token of the claim that this change begins or ends.';
comment on column task_history.login_role is
    'The role that was logged in, whatever agent the statement named: the default sets it.';
comment on column task_history.source is 'The tracker that an imported row came from.';
comment on column task_history.progress_pct is 'The last heartbeat''s progress of the ended claim.';
comment on column task_history.progress_note is 'The last heartbeat''s note of the ended claim.';

-- An edge: the task waits for another. One row a pair. requires and blocks keep a task waiting, and
-- their graph has no cycle; suggests is only a note. Edges are added and removed, never changed.
create table task_dependencies (
    task_id uuid not null,
    depends_on_id uuid not null,
    dependency_type shared.dependency_type not null default 'requires',
    is_satisfied boolean not null default false,
    created_by shared.name_text,
    created_at shared.moment not null default now(),
    primary key (task_id, depends_on_id),
    constraint task_dependencies_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_dependencies_depends_on_exists
        foreign key (depends_on_id) references tasks (id) on delete cascade
)
with (fillfactor = 85);

-- Serves queries/dependencies.sql: dependents_of, and the trigger that unblocks dependents.
create index task_dependencies_by_blocker
    on task_dependencies (depends_on_id, dependency_type, task_id);
-- Edges are found by either end, whatever one task's many edges do to the statistics: the planner
-- never takes a look-up by one of them for a look-up of all.
alter table task_dependencies alter column task_id set (n_distinct = -0.5);
alter table task_dependencies alter column depends_on_id set (n_distinct = -0.5);

comment on table task_dependencies is 'task_id waits for depends_on_id.';
comment on column task_dependencies.dependency_type is
    'requires and blocks keep a task waiting (see the type''s comment); suggests is advice.';
comment on column task_dependencies.is_satisfied is
    'True if it no longer blocks its task; open_dependencies counts the others. Kept by triggers.';

-- A subtask is a line of a task's checklist. No task waits for it.
create table subtasks (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    -- Not unique: two may share a place; then the older comes first.
    position integer not null default 1,
    title shared.title not null,
    description text,
    status shared.subtask_status not null default 'pending',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint subtasks_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint subtasks_position_is_positive check (position > 0)
);

-- Serves queries/subtasks.sql: list_subtasks.
create index subtasks_in_order on subtasks (task_id, position, created_at, id);

comment on table subtasks is 'A task''s checklist.';
comment on column subtasks.position is 'Its place in the list, counted from 1.';

-- A file that belongs to a task, with its content: a result, or an input.
create table task_files (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    path text collate "C" not null,
    content text not null,
    content_type shared.name_text not null default 'text/plain',
    size_bytes integer not null generated always as (octet_length(utf8_bytes(content))) stored,
    sha256 bytea not null generated always as (sha256(utf8_bytes(content))) stored,
    metadata shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint task_files_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_files_path_once_per_task unique (task_id, path),
    constraint task_files_path_has_1_to_1000_characters check (length(path) between 1 and 1000)
);

comment on table task_files is 'Files of a task, content included.';
comment on column task_files.size_bytes is
    'The content''s length in bytes of UTF-8. Computed by the server.';
comment on column task_files.sha256 is 'The content''s SHA-256. Computed by the server.';

-- A tracker's record of a task at its last import: the next import of that file compares with it,
-- to tell changes there from changes here.
create table imported_tasks (
    task_id uuid primary key,
    source_kind shared.name_text not null,
    source_path shared.name_text not null,
    content shared.object_json not null,
    imported_at shared.moment not null default now(),
    constraint imported_tasks_task_exists
        foreign key (task_id) references tasks (id) on delete cascade
);

-- Serves queries/exchange.sql: imported_before.
create index imported_tasks_by_source on imported_tasks (source_kind, source_path);

comment on table imported_tasks is
    'The record of a task in a tracker''s file, as of its last import.';
comment on column imported_tasks.source_kind is 'The kind of the plan: beads, taskmaster, ...';
comment on column imported_tasks.source_path is 'The file or folder, as an absolute path.';
comment on column imported_tasks.content is
    'Its fields in taskdb''s words, its dependencies, and a digest of each field of metadata.';

-- A technical specification, kept whole: as one text (monolithic), or as JSON with phases
-- (hierarchical), of which one can be read without the rest. Exactly one of the two.
--
-- A structure is an object: overview, architecture and technology_stack are texts, phases a list of
-- objects with number, name, description, hours and content. Other fields are kept. With
-- `"verbatim": true` the overview and the phases' contents, put together, are the document it was
-- made from, to the byte.

-- Numbers specifications created without one.
create sequence technical_spec_number as integer;

comment on sequence technical_spec_number is
    'The spec_number of the next specification without one.';

create table technical_specs (
    id uuid primary key default uuidv7(),
    spec_number integer not null,
    key text collate "C" not null generated always as ('SPEC-' || spec_number::text) stored,
    title shared.title not null,
    roadmap_item_id shared.name_text,
    status shared.spec_status not null default 'draft',
    spec_type shared.spec_type not null default 'monolithic',
    content text,
    structure shared.object_json,
    -- The source of an imported one; null for the others.
    file_path shared.name_text,
    total_phases integer generated always as (
        case
            when jsonb_typeof(structure -> 'phases') = 'array'
                then jsonb_array_length(structure -> 'phases')
        end
    ) stored,
    phase_files text[] generated always as (shared.phase_names(structure)) stored,
    phase integer,
    current_phase_status shared.phase_status,
    estimated_hours shared.hours,
    actual_hours shared.hours,
    created_by shared.name_text not null default 'architect',
    updated_by shared.name_text not null default 'architect',
    started_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint technical_specs_number_is_taken_once unique (spec_number),
    constraint technical_specs_key_is_taken_once unique (key),
    constraint technical_specs_number_is_positive check (spec_number > 0),
    -- Implementation tasks refer to it: a specification that has some keeps its type.
    constraint technical_specs_type_is_for_tasks unique (id, spec_type),
    constraint technical_specs_content_exactly_if_monolithic
        check ((spec_type = 'monolithic') = (content is not null)),
    constraint technical_specs_structure_exactly_if_hierarchical
        check ((spec_type = 'hierarchical') = (structure is not null)),
    constraint technical_specs_phase_status_only_with_phase
        check (current_phase_status is null or phase is not null)
);

-- Serves queries/specs.sql: list_specs, newest first.
create index technical_specs_by_status on technical_specs (status, spec_number desc);
-- Serves queries/specs.sql: get_by_roadmap_item.
create index technical_specs_by_roadmap_item
    on technical_specs (roadmap_item_id, spec_number desc);
-- Serves queries/exchange.sql: specs_by_file, and keeps the promise: a file is imported once.
create unique index technical_specs_file_is_imported_once on technical_specs (file_path);

comment on table technical_specs is 'Specifications, content included: no files.';
comment on column technical_specs.key is 'SPEC- and its number. Computed by the server.';
comment on column technical_specs.roadmap_item_id is 'The roadmap item it specifies, as US-116.';
comment on column technical_specs.content is 'The text of a monolithic specification.';
comment on column technical_specs.structure is
    'A hierarchical specification: overview, phases, architecture, technology_stack.';
comment on column technical_specs.file_path is
    'Legacy: the file that an imported specification came from. Never read.';
comment on column technical_specs.total_phases is
    'The number of its phases. Computed by the server.';
comment on column technical_specs.phase_files is
    'The names of its phases, in the order of its list. Computed by the server.';
comment on column technical_specs.phase is
    'The number of the phase that is worked on; a trigger sees that it is one of them.';
comment on column technical_specs.current_phase_status is 'The status of that phase.';
comment on column technical_specs.started_at is 'The moment at which it first went into progress.';

-- The allowed transitions of specifications, as rows: a team may allow more, or fewer.
create table spec_status_transitions (
    old_status shared.spec_status not null,
    new_status shared.spec_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint spec_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table spec_status_transitions is 'The changes of a specification''s status.';

insert into spec_status_transitions (old_status, new_status, meaning) values
    ('draft', 'in_review', 'ready to be looked at'),
    ('draft', 'approved', 'good as it is'),
    ('draft', 'archived', 'put away'),
    ('in_review', 'draft', 'asks for more work'),
    ('in_review', 'approved', 'good as it is'),
    ('in_review', 'archived', 'put away'),
    ('approved', 'draft', 'to be rewritten'),
    ('approved', 'in_progress', 'its implementation begins'),
    ('approved', 'archived', 'put away'),
    ('in_progress', 'approved', 'its implementation rests'),
    ('in_progress', 'completed', 'implemented'),
    ('in_progress', 'archived', 'abandoned'),
    ('completed', 'in_progress', 'its implementation goes on'),
    ('completed', 'archived', 'put away'),
    ('archived', 'draft', 'taken up again');

-- The phases of hierarchical specifications, by name: implementation tasks refer to them, so a
-- phase with tasks can't be removed. The phases themselves are in the structure; a trigger writes
-- these rows.
create table spec_phases (
    spec_id uuid not null,
    name text collate "C" not null,
    number integer not null,
    hours shared.hours,
    primary key (spec_id, name),
    constraint spec_phases_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade
);

comment on table spec_phases is
    'The phases of hierarchical specifications, without their contents. Written by trigger.';
comment on column spec_phases.hours is 'Estimated hours; null where the structure has none.';

-- An edge between specifications: this one builds on the other. The graph has no cycle.
create table spec_dependencies (
    spec_id uuid not null,
    depends_on_id uuid not null,
    created_by shared.name_text,
    created_at timestamptz not null default now(),
    primary key (spec_id, depends_on_id),
    constraint spec_dependencies_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade,
    constraint spec_dependencies_depends_on_exists
        foreign key (depends_on_id) references technical_specs (id) on delete cascade
);

-- Serves queries/specs.sql: list_dependents, and the deletion of a specification.
create index spec_dependencies_by_blocker on spec_dependencies (depends_on_id);

comment on table spec_dependencies is 'spec_id builds on depends_on_id.';

-- The words of a specification, apart from it: a change of its status leaves them alone.
create table spec_search (
    spec_id uuid primary key,
    document tsvector not null,
    constraint spec_search_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade
);

-- Serves queries/specs.sql: find_specs.
create index spec_search_by_words on spec_search using gin (document);

comment on table spec_search is 'The text of specifications, prepared for search. By trigger.';
comment on column spec_search.document is
    'The title (weight A) and the first 200,000 characters of the content (weight B).';

-- An implementation task's second part, one to one with its task: the part of a specification that
-- it implements, the files it may change, and their result. Deleting one deletes the other.
create table implementation_tasks (
    task_id uuid primary key,
    spec_id uuid not null,
    -- Its specification's type, which a trigger fills in and a foreign key enforces.
    spec_type shared.spec_type not null,
    scope text collate "C" not null,
    -- The scope of a task of a hierarchical specification is one of its phases.
    phase text collate "C" generated always as (
        case spec_type when 'hierarchical' then scope end
    ) stored,
    scope_description text,
    assigned_files text[] not null default '{}',
    branch_name text collate "C" not null,
    worktree_path shared.name_text,
    commit_sha shared.commit_sha,
    merged_at shared.moment,
    merge_commit_sha shared.commit_sha,
    created_by shared.name_text not null default 'architect',
    created_at timestamptz not null default now(),
    constraint implementation_tasks_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint implementation_tasks_spec_exists
        foreign key (spec_id, spec_type) references technical_specs (id, spec_type)
        on delete cascade,
    constraint implementation_tasks_scope_is_a_phase
        foreign key (spec_id, phase) references spec_phases (spec_id, name),
    constraint implementation_tasks_branch_name_is_unique unique (branch_name),
    constraint implementation_tasks_scope_has_1_to_200_characters
        check (length(scope) between 1 and 200),
    constraint implementation_tasks_branch_has_1_to_250_characters
        check (length(branch_name) between 1 and 250),
    constraint implementation_tasks_files_are_named_in_one_way
        check (shared.names_files(assigned_files)),
    constraint implementation_tasks_merge_commit_only_if_merged
        check (merge_commit_sha is null or merged_at is not null)
);

-- Serves queries/implementation_tasks.sql: list_tasks, and the deletion of a specification.
create index implementation_tasks_by_spec on implementation_tasks (spec_id, spec_type);
-- Keeps the foreign key: a phase with tasks stays.
create index implementation_tasks_by_phase on implementation_tasks (spec_id, phase);

comment on table implementation_tasks is 'Parts of specifications, as tasks.';
comment on column implementation_tasks.scope is
    'The part that it implements: of a hierarchical specification the name of one of its phases.';
comment on column implementation_tasks.assigned_files is
    'The files it changes, from the root of the repository. While it is in progress they are '
    'its own: see file_locks.';
comment on column implementation_tasks.worktree_path is
    'The folder in which its branch is checked out.';
comment on column implementation_tasks.commit_sha is 'The commit that did the work.';
comment on column implementation_tasks.merged_at is 'The moment at which its branch was merged.';

-- The file locks of implementation tasks in progress, each of one task: the key refuses an overlap,
-- by whatever route a task is started, and at the same moment. Written by triggers when a task goes
-- into progress and out of it. An agent that takes over a lapsed task takes its files with it.
create table file_locks (
    path text collate "C" primary key,
    task_id uuid not null,
    constraint file_locks_task_exists
        foreign key (task_id) references implementation_tasks (task_id) on delete cascade
);

-- Serves the trigger that releases a task's file locks.
create index file_locks_by_task on file_locks (task_id);

comment on table file_locks is 'File locks of implementation tasks in progress.';

-- At most n tasks of one concurrency key are in progress at a time: the key has n slots, and a task
-- takes one when it goes into progress. A row is held by one task at a time whatever the snapshots
-- of two claims say, so no count can be wrong. A key that was never given a limit has one slot,
-- made when it is first used. docs/decisions/0032-concurrency-key.md
create table concurrency_slots (
    key shared.name_text not null,
    slot integer not null,
    task_id uuid,
    is_surplus boolean not null default false,
    is_unseen boolean not null default true,
    primary key (key, slot),
    constraint concurrency_slots_task_exists
        foreign key (task_id) references tasks (id) on delete set null
);

-- Keeps the promise: a task holds one slot.
create unique index concurrency_slots_one_per_task
    on concurrency_slots (task_id)
    where task_id is not null;
-- Serves functions/take_slot.sql: the free ones that were offered.
create index concurrency_slots_offered
    on concurrency_slots (key, slot)
    where task_id is null and not is_unseen;
-- Serves functions/take_slot.sql: those to be given up after the limit was lowered.
create index concurrency_slots_surplus
    on concurrency_slots (key, slot)
    where is_surplus;
-- Serves functions/offer_slots.sql: those that a claim has to offer.
create index concurrency_slots_unseen
    on concurrency_slots (key, slot)
    where task_id is null and is_unseen;

comment on table concurrency_slots is
    'The slots of concurrency keys: as many tasks of a key are in progress. Written by triggers.';
comment on column concurrency_slots.key is 'The concurrency key of tasks.';
comment on column concurrency_slots.slot is 'Its number, from 1.';
comment on column concurrency_slots.task_id is
    'The task in progress that holds it; null: it is free.';
comment on column concurrency_slots.is_surplus is
    'The limit was lowered while it was held: it goes when its task, or another of the key, ends.';
comment on column concurrency_slots.is_unseen is
    'A free one: no claim has offered it to the tasks that wait for it yet.';

-- The concurrency keys that have been used, or given a limit.
create view concurrency_keys as
select
    slot.key,
    count(*) filter (where not slot.is_surplus) as at_most,
    count(slot.task_id) as running
from concurrency_slots as slot
group by slot.key;

comment on view concurrency_keys is 'Concurrency keys: how many tasks of each are in progress.';
comment on column concurrency_keys.at_most is
    'The number of its tasks that can be in progress at a time.';
comment on column concurrency_keys.running is 'The number of its tasks in progress.';

-- A design job is a request to the Design Agent; tech-spec sessions begin with its documents. Each
-- workspace has its own, so that one team's roles neither see nor change another's. The query that
-- changes a job's status checks the old one.
create table design_jobs (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    status shared.design_job_status not null default 'pending',
    error_message shared.note_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    completed_at shared.moment,
    constraint design_jobs_completed_at_exactly_when_completed
        check ((status = 'completed') = (completed_at is not null)),
    constraint design_jobs_error_only_when_failed
        check (error_message is null or status = 'failed')
);

-- Serve queries/design.sql: list_jobs, newest first.
create index design_jobs_by_creation on design_jobs (created_at desc, id desc);
create index design_jobs_by_status on design_jobs (status, created_at desc, id desc);
create index design_jobs_by_project on design_jobs (project_id, created_at desc, id desc);

comment on table design_jobs is 'Requests to the Design Agent.';
comment on column design_jobs.project_id is
    'The project that it is for, by the id that all tools know it by; it need not be here.';
comment on column design_jobs.error_message is 'The reason of its failure.';

-- A document of a design job, one of each type, with all its text.
create table design_outputs (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    output_type shared.design_output_type not null,
    content shared.note_text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint design_outputs_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade,
    -- Serves queries/design.sql: find_outputs, get_output.
    constraint design_outputs_once_per_type unique (design_job_id, output_type)
);

comment on table design_outputs is 'Documents of design jobs.';
comment on column design_outputs.content is
    'The document itself; of ai_studio_code_path, where the code lies.';

-- A decision of a design job, with its reason. Rows are added, never changed.
create table design_decisions (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    decision_type shared.name_text not null,
    value shared.note_text not null,
    reasoning shared.note_text,
    created_at timestamptz not null default clock_timestamp(),
    constraint design_decisions_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade
);

-- Serves queries/design.sql: load_decisions, in the order in which they were made.
create index design_decisions_in_order on design_decisions (design_job_id, created_at, id);

comment on table design_decisions is 'Decisions of design jobs, with their reasons.';

-- A progress report of a design job. Rows are added, never changed.
create table design_progress (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    stage shared.name_text not null,
    progress_percentage shared.percentage not null,
    message shared.note_text,
    created_at timestamptz not null default clock_timestamp(),
    constraint design_progress_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade
);

-- Serves queries/design.sql: list_progress, newest first.
create index design_progress_by_creation
    on design_progress (design_job_id, created_at desc, id desc);

comment on table design_progress is 'Progress reports of design jobs.';

-- A tech-spec session turns the documents of a design job into technical requirements: it
-- researches, talks with its user, and generates documents. It goes with its design job.
create table tech_spec_sessions (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    design_job_id uuid not null,
    user_id uuid,
    status shared.session_status not null default 'pending',
    current_stage shared.name_text,
    progress_percentage shared.percentage not null default 0,
    session_data shared.object_json,
    websocket_url shared.name_text,
    failure_reason shared.note_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    completed_at timestamptz,
    newest_version shared.counter not null default 0,
    constraint tech_spec_sessions_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade,
    constraint tech_spec_sessions_completed_at_exactly_when_completed
        check ((status = 'completed') = (completed_at is not null)),
    constraint tech_spec_sessions_completed_is_all
        check (status <> 'completed' or progress_percentage = 100),
    constraint tech_spec_sessions_reason_only_when_failed
        check (failure_reason is null or status = 'failed')
);

-- Serve queries/sessions.sql: list_sessions, newest first; by status also list_with_jobs, and by
-- creation summary.
create index tech_spec_sessions_by_creation on tech_spec_sessions (created_at desc, id desc);
create index tech_spec_sessions_by_status
    on tech_spec_sessions (status, created_at desc, id desc);
create index tech_spec_sessions_by_project
    on tech_spec_sessions (project_id, created_at desc, id desc);
create index tech_spec_sessions_by_design_job
    on tech_spec_sessions (design_job_id, created_at desc, id desc);
create index tech_spec_sessions_by_user
    on tech_spec_sessions (user_id, created_at desc, id desc);

comment on table tech_spec_sessions is
    'Work on technical requirements, from the documents of design jobs.';
comment on column tech_spec_sessions.project_id is 'The project of its design job.';
comment on column tech_spec_sessions.user_id is
    'The user who asked for it, as the service knows people.';
comment on column tech_spec_sessions.current_stage is
    'The current step of its agent, in the agent''s words.';
comment on column tech_spec_sessions.session_data is
    'The agent''s state between its steps, as an object.';
comment on column tech_spec_sessions.websocket_url is
    'The address at which its progress can be followed.';
comment on column tech_spec_sessions.failure_reason is
    'The reason of its failure. Cleared by trigger.';
comment on column tech_spec_sessions.newest_version is
    'The highest version that a document of it was given, 0 before. Kept by trigger.';

-- The allowed transitions of a tech-spec session, as rows: a team may allow more, or fewer.
create table session_status_transitions (
    old_status shared.session_status not null,
    new_status shared.session_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint session_status_transitions_statuses_differ check (old_status <> new_status)
);

comment on table session_status_transitions is 'The changes of a session''s status.';

insert into session_status_transitions (old_status, new_status, meaning) values
    ('pending', 'in_progress', 'work begins'),
    ('pending', 'failed', 'it cannot begin'),
    ('in_progress', 'paused', 'waits for its user'),
    ('in_progress', 'completed', 'its documents are done'),
    ('in_progress', 'failed', 'it cannot go on'),
    ('paused', 'in_progress', 'goes on'),
    ('paused', 'failed', 'abandoned'),
    ('failed', 'in_progress', 'tried again');

-- A gap in the technology of a session, the options that were found for it, and the choice.
create table tech_research (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    technology_category shared.name_text not null,
    gap_description shared.note_text,
    researched_options shared.option_list,
    selected_technology shared.name_text,
    selection_reasoning shared.note_text,
    decided_at shared.moment,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint tech_research_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    constraint tech_research_known_with_its_session unique (session_id, id),
    constraint tech_research_selected_is_an_option
        check (
            selected_technology is null
            or coalesce(
                jsonb_path_query_array(researched_options, '$[*].name') ? selected_technology,
                false
            )
        ),
    constraint tech_research_decided_at_exactly_with_selection
        check ((selected_technology is null) = (decided_at is null)),
    constraint tech_research_reasoning_only_with_selection
        check (selection_reasoning is null or selected_technology is not null)
);

-- Serve queries/research.sql: list_for_session, in order, of one category or of all.
create index tech_research_in_order on tech_research (session_id, created_at, id);
create index tech_research_by_session_and_category
    on tech_research (session_id, technology_category, created_at, id);
-- Serves queries/research.sql: list_by_category, newest first.
create index tech_research_by_category
    on tech_research (technology_category, created_at desc, id desc);

comment on table tech_research is 'Gaps in technology, the options found for them, the choices.';
comment on column tech_research.gap_description is 'The gap.';
comment on column tech_research.researched_options is
    'Objects, each with a name and whatever else was found out about it.';
comment on column tech_research.selected_technology is 'The name of one of the options.';
comment on column tech_research.decided_at is 'The moment of the choice.';

-- A message in a session. Rows are added, never changed; they go with their session, or by `taskdb
-- prune` when they are old.
create table tech_conversations (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    research_id uuid,
    role shared.conversation_role not null,
    message shared.note_text not null,
    message_type shared.name_text,
    metadata shared.object_json,
    created_at timestamptz not null default clock_timestamp(),
    constraint tech_conversations_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    constraint tech_conversations_research_is_of_the_session
        foreign key (session_id, research_id) references tech_research (session_id, id)
        on delete cascade
);

-- Serves queries/conversations.sql: list_messages, newest first.
create index tech_conversations_by_session
    on tech_conversations (session_id, created_at desc, id desc);
-- Serves queries/conversations.sql: list_about_research, newest first.
create index tech_conversations_by_research
    on tech_conversations (session_id, research_id, created_at desc, id desc)
    where research_id is not null;
-- Serves queries/retention.sql: prune_conversations, count_conversations.
create index tech_conversations_by_age on tech_conversations (created_at, id);

comment on table tech_conversations is 'Messages in sessions.';
comment on column tech_conversations.research_id is 'The research of the session it is about.';
comment on column tech_conversations.message_type is 'Its kind, in the agent''s words.';
comment on column tech_conversations.metadata is 'The agent''s data about it, as an object.';

-- Technical requirements (TRD) that a session generated, version after version.
create table generated_trd_documents (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    version integer not null,
    trd_content shared.note_text not null,
    api_specification shared.note_text,
    database_schema shared.note_text,
    architecture_diagram shared.note_text,
    tech_stack_document shared.note_text,
    quality_score shared.percentage,
    validation_report shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint generated_trd_documents_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade,
    -- Serves queries/documents.sql: newest, read backwards.
    constraint generated_trd_documents_version_once_per_session unique (session_id, version),
    constraint generated_trd_documents_version_is_positive check (version > 0)
);

-- Serves queries/documents.sql: list_by_quality, best first.
create index generated_trd_documents_by_quality
    on generated_trd_documents (quality_score desc, id desc)
    where quality_score is not null;

comment on table generated_trd_documents is 'Technical requirements, version by version.';
comment on column generated_trd_documents.version is
    'Counted from 1 on within the session, by trigger.';
comment on column generated_trd_documents.validation_report is
    'The result of its validation, as an object.';

-- An error of an agent in a session, how often it was tried again, and whether that helped.
create table agent_error_logs (
    id uuid primary key default uuidv7(),
    session_id uuid not null,
    node shared.name_text not null,
    error_type shared.name_text not null,
    message shared.note_text not null,
    stack_trace shared.note_text,
    retry_count shared.counter not null default 0,
    recovered boolean not null default false,
    recovery_strategy shared.name_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint agent_error_logs_session_exists
        foreign key (session_id) references tech_spec_sessions (id) on delete cascade
);

-- Serves queries/agent_errors.sql: list_for_session, newest first.
create index agent_error_logs_by_session
    on agent_error_logs (session_id, created_at desc, id desc);
-- Serve queries/agent_errors.sql: list_errors, newest first.
create index agent_error_logs_by_node
    on agent_error_logs (node, created_at desc, id desc);
create index agent_error_logs_by_recovery
    on agent_error_logs (recovered, created_at desc, id desc);
create index agent_error_logs_by_node_and_recovery
    on agent_error_logs (node, recovered, created_at desc, id desc);
-- Serves queries/retention.sql: prune_errors, count_errors; and queries/agent_errors.sql:
-- recovery_since.
create index agent_error_logs_by_age on agent_error_logs (created_at, id);

comment on table agent_error_logs is 'Errors of agents in sessions, and their recovery.';
comment on column agent_error_logs.node is 'The step of the agent in which it happened.';
comment on column agent_error_logs.error_type is 'The kind of error, in the agent''s words.';
comment on column agent_error_logs.retry_count is 'The number of retries.';
comment on column agent_error_logs.recovery_strategy is 'The agent''s remedy.';

-- Refuses a cycle. *path* begins and ends with the same task's key; each waits for the
-- next (or is a part of the next). The detail carries all of it, as JSON after the code.
create function raise_circular_dependency(path text[])
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD002',
        message = 'circular dependency: ' || case
            when cardinality(path) <= 12 then array_to_string(path, ' -> ')
            else array_to_string(path[1:6], ' -> ')
                || ' -> ... (' || cardinality(path) - 11 || ' more) -> '
                || array_to_string(path[cardinality(path) - 4:], ' -> ')
        end,
        detail = 'TD002 ' || to_json(path),
        hint = 'Remove one dependency of this path first.';
end;
$$;

comment on function raise_circular_dependency(text[]) is 'Raises TD002 with the cycle''s keys.';

-- Walks up from a task whose ancestors form a cycle, and refuses with their keys.
create function raise_parent_cycle(start_id uuid)
    returns void
    language plpgsql
    set search_path from current
as $$
declare
    at_id uuid := start_id;
    at_key text;
    seen uuid[] := '{}';
    keys text[] := '{}';
begin
    while not at_id = any(seen) loop
        seen := seen || at_id;
        select task.key, details.parent_id
        into at_key, at_id
        from tasks as task
        inner join task_details as details on details.task_id = task.id
        where task.id = at_id;
        keys := keys || at_key;
    end loop;
    keys := keys[array_position(seen, at_id):];
    perform raise_circular_dependency(keys || keys[1]);
end;
$$;

comment on function raise_parent_cycle(uuid) is 'Raises TD002 with the cycle of parents.';

-- The full-text search document of a task.
create function task_document(title text, description text)
    returns tsvector
    language sql
    immutable
    parallel safe
return setweight(to_tsvector('pg_catalog.english', title), 'A')
    || setweight(
        to_tsvector('pg_catalog.english', coalesce(left(description, 200000), '')), 'B'
    );

comment on function task_document(text, text) is
    'A task''s title (weight A) and first 200,000 characters of description (weight B).';

-- The full-text search document of a specification.
create function spec_document(title text, content text, structure jsonb)
    returns tsvector
    language sql
    immutable
    parallel safe
    set search_path from current
return task_document(title, coalesce(content, shared.spec_text(structure)));

comment on function spec_document(text, text, jsonb) is
    'A specification''s title (weight A) and first 200,000 characters of content (weight B).';

-- The query of a web search: words, "a phrase", -without, or; and beginning*, which matches all
-- that begins so.
create function words_query(words text)
    returns tsquery
    language sql
    stable
    strict
    parallel safe
    set search_path from current
return (
    select coalesce(whole.query && beginning.query, whole.query)
    from websearch_to_tsquery(
        'pg_catalog.english',
        -- A hyphen that negates nothing would fill the parser's stack: 33 of them are an error.
        regexp_replace(words, '\w+\*|-+(?![^\s-])', ' ', 'g')
    ) as whole (query)
    cross join (
        select to_tsquery('pg_catalog.english', string_agg(found.word[1] || ':*', ' & '))
        from regexp_matches(words, '(\w+)\*', 'g') as found (word)
    ) as beginning (query)
);

comment on function words_query(text) is
    'The query that a person''s words stand for, as in web search.';

-- Refuses a value, and names the field and the rule.
create function raise_refusal(field text, rule text)
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD005',
        message = format('%s %s', field, rule),
        detail = format('TD005 %s: %s', field, rule);
end;
$$;

comment on function raise_refusal(text, text) is 'Raises TD005 with the field and the rule.';

-- The refusals of apply_task_change, apart from it so that it stays readable.
create function raise_invalid_transition(
    task_key text, from_status shared.task_status, to_status shared.task_status
)
    returns void
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD001',
        message = format('task %s cannot go from %s to %s', task_key, from_status, to_status),
        detail = format('TD001 %s -> %s', from_status, to_status),
        hint = coalesce(
            (
                select
                    'From here it can go to '
                    || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                    || '; anything else must be forced.'
                from task_status_transitions as allowed
                where allowed.old_status = from_status
            ),
            'From here it moves only by force.'
        );
end;
$$;

comment on function raise_invalid_transition(text, shared.task_status, shared.task_status) is
    'Raises TD001: a transition that is not in task_status_transitions.';

-- A rule of one task, in the words of a CHECK: callers identify it by the constraint's name.
create function raise_broken_rule(rule text, message text)
    returns void
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'check_violation',
        schema = current_schema(),
        table = 'tasks',
        constraint = rule,
        message = message;
end;
$$;

comment on function raise_broken_rule(text, text) is
    'Raises check_violation under the name of a rule of tasks.';

-- Imports history of another tracker, the oldest last: each row carries its source, and a trigger
-- numbers it downwards from 0. It is the only way for a role that is not the owner to write
-- history, so it accepts nothing that could pass for a change made here: no token, no number, no
-- future moment, and none that no program can read.
create function import_history(
    from_source text,
    task_ids uuid[],
    old_statuses task_status[],
    new_statuses task_status[],
    agents text[],
    notes text[],
    are_forced boolean[],
    moments timestamptz[]
)
    returns int
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    imported int;
begin
    if from_source is null then
        perform raise_refusal('source', 'must be given for history that is imported');
    elsif clock_timestamp() < any(moments) then
        perform raise_refusal('created_at', 'must not be in the future');
    end if;
    insert into task_history (
        task_id, old_status, new_status, agent, note, forced, source, created_at
    )
    select
        given.task_id,
        given.old_status,
        given.new_status,
        given.agent,
        given.note,
        given.forced,
        from_source,
        given.created_at::shared.moment
    from unnest(task_ids, old_statuses, new_statuses, agents, notes, are_forced, moments)
        with ordinality as given (
            task_id, old_status, new_status, agent, note, forced, created_at, place
        )
    order by given.place;
    get diagnostics imported = row_count;
    return imported;
end;
$$;

comment on function import_history(
    text, uuid[], task_status[], task_status[], text[], text[], boolean[], timestamptz[]
) is
    'Imports history of another tracker; returns the number of rows.';

-- The health of a workflow, for a task that joins it: the foreign key tasks_workflow_exists refers
-- to the pair, and its cascade keeps the pair the same for all tasks at once, at every isolation
-- level. The lock is the foreign key's own: creators don't wait for each other, only for a change
-- of health. A workflow that does not exist is reported by the foreign key.
create function health_of_workflow(of_workflow uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    health boolean;
begin
    select workflow.is_healthy
    into health
    from workflows as workflow
    where workflow.id = of_workflow
    for key share;
    return coalesce(health, true);
end;
$$;

comment on function health_of_workflow(uuid) is 'True if a workflow is healthy, or does not exist.';

-- Locks the files of an implementation task for it, all or none, and returns whether it has them.
-- Other tasks have no files to lock. Who calls it has the task's row locked.
--
-- Rows are written in the order of paths, and those of a failure are rolled back at once: so a
-- task that waits for a file holds none that comes after it.
create function take_files(for_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    wanted text[];
begin
    select work.assigned_files into wanted
    from implementation_tasks as work
    where work.task_id = for_task;
    if wanted is null then
        return true;
    elsif exists (
        select from file_locks as file
        where file.path = any(wanted) and file.task_id <> for_task
    ) then
        return false;
    end if;

    begin
        insert into file_locks (path, task_id)
        select distinct file.path, for_task
        from unnest(wanted) as file (path)
        where not exists (
            select from file_locks as own
            where own.path = file.path and own.task_id = for_task
        )
        order by file.path;
    exception
        when unique_violation then
            return false;
    end;
    return true;
end;
$$;

comment on function take_files(uuid) is
    'Locks the files of a task that goes into progress, if no other task locks one of them.';

-- The same for a claim, which tries another task if it returns false. It waits for no other
-- transaction that is taking one of the files, for longer than a moment: it can hold files of other
-- tasks already, as claims of many do, and two of those would deadlock.
create function try_files(for_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set lock_timeout = '10ms'
as $$
begin
    return take_files(for_task);
exception
    when lock_not_available then
        return false;
end;
$$;

comment on function try_files(uuid) is
    'Locks the files of a task that is claimed, if no other task locks one, or is about to.';

-- Returns whether another task in progress locks a file of this one, as of now. A claim calls it
-- for one task in line after another, and must see files locked since it began: so it is volatile,
-- and at READ COMMITTED takes a snapshot of its own each time. The view file_conflicts has the
-- state at the start of the claim.
create function files_are_locked(for_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
as $$
begin
    return exists (
        select from file_conflicts as clash where clash.task_id = for_task
    );
end;
$$;

comment on function files_are_locked(uuid) is
    'True if another task in progress locks a file of this one, now.';

-- Refuses a task its file locks, as another task in progress has one of them.
create function raise_locked_file(for_task uuid)
    returns void
    language plpgsql
    set search_path from current
as $$
declare
    path text;
    holder text;
begin
    select clash.path, task.key
    into path, holder
    from file_conflicts as clash
    inner join tasks as task on task.id = clash.holder_id
    where clash.task_id = for_task
    order by clash.path
    limit 1;
    raise exception using
        errcode = 'TD007',
        message = format(
            'the file %s is locked by task %s, which is in progress',
            coalesce(path, 'it needs'),
            coalesce(holder, 'another')
        ),
        detail = 'TD007 assigned_files: must not have a file of another task in progress',
        hint = 'Wait until that task is done, or assign other files.';
end;
$$;

comment on function raise_locked_file(uuid) is 'Raises TD007 with the file and its holder.';

-- Refuses a phase that breaks a rule; *place* names the phase.
create function check_phase(place text, phase jsonb)
    returns void
    language plpgsql
    immutable
    set search_path from current
as $$
declare
    field text;
begin
    if jsonb_typeof(phase -> 'number') <> 'number'
        or (phase ->> 'number') !~ '^[0-9]{1,4}$' then
        perform raise_refusal(place || '.number', 'must be a whole number from 0 to 9999');
    elsif jsonb_typeof(phase -> 'name') is distinct from 'string'
        or length(phase ->> 'name') not between 1 and 200 then
        perform raise_refusal(place || '.name', 'must be text of 1 to 200 characters');
    elsif jsonb_typeof(phase -> 'hours') not in ('number', 'null') then
        perform raise_refusal(place || '.hours', 'must be a number');
    elsif (phase ->> 'hours')::numeric not between 0 and 999999 then
        perform raise_refusal(place || '.hours', 'must be from 0 to 999999');
    end if;
    foreach field in array array['description', 'content'] loop
        if jsonb_typeof(phase -> field) not in ('string', 'null') then
            perform raise_refusal(place || '.' || field, 'must be text');
        end if;
    end loop;
    if jsonb_typeof(phase -> 'files') not in ('array', 'null')
        or phase @? '$.files[*] ? (@.type() != "string")' then
        perform raise_refusal(place || '.files', 'must be a list of texts');
    end if;
end;
$$;

comment on function check_phase(text, jsonb) is
    'Raises TD005 for the first rule that a phase breaks.';

-- The keys on a shortest way from one specification to another along their dependencies;
-- null if there is none. Breadth first, each specification once.
create function spec_path(from_id uuid, to_id uuid)
    returns text[]
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    reached uuid[] := array[from_id];
    came_from int[] := array[0];
    n int := 1;
    keys text[] := '{}';
begin
    while reached[n] <> to_id loop
        select
            reached || coalesce(array_agg(edge.depends_on_id), '{}'),
            came_from || coalesce(array_agg(n), '{}')
        into reached, came_from
        from spec_dependencies as edge
        where edge.spec_id = reached[n] and edge.depends_on_id <> all(reached);
        n := n + 1;
    end loop;
    if reached[n] is null then
        return null;
    end if;
    while n > 0 loop
        keys := array(select spec.key from technical_specs as spec where spec.id = reached[n])
            || keys;
        n := came_from[n];
    end loop;
    return keys;
end;
$$;

comment on function spec_path(uuid, uuid) is
    'The keys from a specification to another that it depends on, directly or not; or null.';

-- The position of each of the *wanted* ids in a list; null if it is not there. The planner cannot
-- estimate the lengths of lists, and a nested loop over two long ones never ends: so that plan is
-- disabled.
create function positions_of(wanted uuid[], listed uuid[])
    returns int[]
    language sql
    immutable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = on
    set enable_nestloop = off
as $$
    select array_agg(place.position::int order by wish.position)
    from unnest(wanted) with ordinality as wish (id, position)
    left join unnest(listed) with ordinality as place (id, position) on place.id = wish.id;
$$;

comment on function positions_of(uuid[], uuid[]) is
    'The positions of the first list''s ids in the second.';

-- The requires and blocks edges among the *listed* tasks: the positions of their two ends, and
-- their own in the arguments; in the order of the dependents.
create function edges_by_position(
    waiting uuid[], awaited uuid[], types dependency_type[], listed uuid[]
)
    returns table (waiters int[], blockers int[], numbers int[])
    language sql
    immutable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = on
    set enable_nestloop = off
as $$
    select
        array_agg(waiter.position::int order by waiter.position),
        array_agg(blocker.position::int order by waiter.position),
        array_agg(edge.position::int order by waiter.position)
    from unnest(waiting, awaited, types) with ordinality
        as edge (task_id, depends_on_id, dependency_type, position)
    inner join unnest(listed) with ordinality as waiter (id, position)
        on waiter.id = edge.task_id
    inner join unnest(listed) with ordinality as blocker (id, position)
        on blocker.id = edge.depends_on_id
    where edge.dependency_type <> 'suggests';
$$;

comment on function edges_by_position(uuid[], uuid[], dependency_type[], uuid[]) is
    'The positions in a list of the two ends of requires and blocks edges.';

-- The tasks that *roots* wait for, directly or not, down to a rank of *lowest*, roots
-- included. Each is visited once (union), and its blockers are found by index: the
-- lateral parts with offset 0 and the pinned settings leave the planner no other way,
-- since a join of whole tables per level costs minutes on a deep chain, and a join with tasks in
-- the wrong order, chosen from statistics of another plan, makes it quadratic.
create function task_graph_region(roots uuid[], lowest bigint)
    returns table (id uuid, graph_rank bigint)
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive region (id, graph_rank) as (
        select task.id, task.graph_rank
        from unnest(roots) as root (id)
        cross join lateral (
            select other.id, other.graph_rank from tasks as other where other.id = root.id offset 0
        ) as task
        union
        select blocker.id, blocker.graph_rank
        from region
        cross join lateral (
            select dependency.depends_on_id
            from task_dependencies as dependency
            where dependency.task_id = region.id and dependency.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select other.id, other.graph_rank
            from tasks as other
            where other.id = edge.depends_on_id and other.graph_rank >= lowest
            offset 0
        ) as blocker
    )

    select region.id, region.graph_rank
    from region;
$$;

comment on function task_graph_region(uuid[], bigint) is
    'The blockers of these tasks, direct or indirect, down to a rank.';

-- The gating edges out of the listed tasks, in the order of the list.
create function task_graph_edges(listed uuid[])
    returns table (waiting int, blocker_id uuid, blocker_rank bigint)
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    select task.position::int, blocker.id, blocker.graph_rank
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select dependency.depends_on_id
        from task_dependencies as dependency
        where dependency.task_id = task.id and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge
    cross join lateral (
        select other.id, other.graph_rank
        from tasks as other
        where other.id = edge.depends_on_id
        offset 0
    ) as blocker
    order by task.position;
$$;

comment on function task_graph_edges(uuid[]) is
    'The requires and blocks edges out of these tasks, with the ranks of their blockers.';

-- Repairs the ranks after edges were added whose blocker does not rank below its dependent,
-- or refuses the edges with TD002 and the path of the cycle that they close.
--
-- The invariant: for each requires or blocks edge, rank[blocker] < rank[dependent]. It
-- implies that the graph has no cycle. Ranks of existing tasks are only ever lowered, so
-- only the edges *into a task's own blockers* can break when a task is lowered; whoever
-- adds such an edge writes that task's row, and so does this function: the two always
-- meet there, at every isolation level. docs/decisions/0001-dependency-graph.md tells the
-- whole argument, after D. J. Pearce and P. H. J. Kelly, "A dynamic topological sort
-- algorithm for directed acyclic graphs", ACM JEA 11, 2006.
--
-- waiting[i] depends on awaited[i]; all given edges break the invariant. The work is
-- linear in the tasks and edges between the ranks of the two sides.
create function task_graph_repair(waiting uuid[], awaited uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    lowest bigint;
    ceiling_ranks bigint[];
    roots uuid[];
    locked uuid[];
    -- The region: its tasks by id, their ranks before and after.
    ids uuid[];
    old_ranks bigint[];
    ranks bigint[];
    size int;
    -- Its edges as compressed rows: task n's blockers are those from first[n] up to, but
    -- not with, first[n + 1]; null where the blocker lies outside.
    waiters int[];
    blockers int[];
    blocker_ids uuid[];
    blocker_ranks bigint[];
    first int[];
    open_dependents int[];
    -- Task n must rank below ceilings[n], and above floors[n] (its blockers outside).
    ceilings bigint[];
    floors bigint[];
    queue int[];
    tail int;
    done int;
    n int;
    m int;
    low bigint;
    place bigint;
    exhausted boolean;
    follower int[];
    walk int[];
    seen boolean[];
    path text[];
begin
    select array_agg(task.graph_rank order by edge.position), min(task.graph_rank)
    into ceiling_ranks, lowest
    from unnest(waiting) with ordinality as edge (task_id, position)
    cross join lateral (
        select waiter.graph_rank from tasks as waiter where waiter.id = edge.task_id offset 0
    ) as task;
    select array_agg(distinct edge.id) into roots from unnest(awaited) as edge (id);

    -- Not needed for correctness: two repairs of one region would deadlock more often. It is the lock
    -- of a table that only the owner can lock, and nobody writes: anybody who may connect to the
    -- database could hold an advisory lock, and stop this.
    lock table task_status_transitions in share update exclusive mode;

    <<attempts>>
    for attempt in 1..3 loop
        -- Lock the region in the order of ids, and look again, until it stands still: only
        -- READ COMMITTED sees it move; at the higher levels the lock itself fails with 40001.
        locked := null;
        loop
            select
                array_agg(region.id order by region.id),
                array_agg(region.graph_rank order by region.id)
            into ids, old_ranks
            from task_graph_region(roots, lowest) as region;
            exit when ids = locked;
            perform
            from unnest(ids) as given (id)
            cross join lateral (
                select from tasks as task where task.id = given.id for no key update offset 0
            ) as task;
            locked := ids;
        end loop;
        size := cardinality(ids);
        ranks := old_ranks;

        select
            array_agg(edge.waiting), array_agg(edge.blocker_id), array_agg(edge.blocker_rank)
        into waiters, blocker_ids, blocker_ranks
        from task_graph_edges(ids) as edge;
        blockers := positions_of(blocker_ids, ids);

        ceilings := array_fill(null::bigint, array[size]);
        floors := ceilings;
        open_dependents := array_fill(0, array[size]);
        first := array_fill(1, array[size + 1]);
        for i in 1..coalesce(cardinality(waiters), 0) loop
            n := waiters[i];
            m := blockers[i];
            first[n + 1] := i + 1;
            if m is null then
                floors[n] := greatest(floors[n], blocker_ranks[i]);
            else
                open_dependents[m] := open_dependents[m] + 1;
            end if;
        end loop;
        queue := null;
        tail := 0;
        for i in 1..size loop
            first[i + 1] := greatest(first[i + 1], first[i]);
            if open_dependents[i] = 0 then
                tail := tail + 1;
                queue[tail] := i;
            end if;
        end loop;
        -- The given edges' blockers are the roots; their places come in the same order.
        walk := positions_of(awaited, ids);
        for i in 1..cardinality(waiting) loop
            m := walk[i];
            ceilings[m] := least(ceilings[m], ceiling_ranks[i]);
        end loop;

        -- Dependents first: a task's ceiling is final when it is visited.
        exhausted := false;
        done := 0;
        while done < tail loop
            done := done + 1;
            n := queue[done];
            if ranks[n] >= ceilings[n] then
                low := floors[n];
                for i in first[n]..first[n + 1] - 1 loop
                    -- Null outside the region: floors[n] covers those.
                    if ranks[blockers[i]] < ceilings[n] then
                        low := greatest(low, ranks[blockers[i]]);
                    end if;
                end loop;
                -- Far below when nothing is in the way; else close above the blockers, so that the
                -- next tasks put under the same dependent find room in order.
                place := case
                    when attempt > 1 then ceilings[n] - 16777216
                    when low is null then ceilings[n] - 1073741824
                    when ceilings[n] - low > 1 then low + greatest((ceilings[n] - low) / 16, 1)
                    else ceilings[n] - 1
                end;
                if place <= floors[n] then
                    exhausted := true;
                    exit;
                end if;
                ranks[n] := place;
            end if;
            for i in first[n]..first[n + 1] - 1 loop
                m := blockers[i];
                continue when m is null;
                ceilings[m] := least(ceilings[m], ranks[n]);
                open_dependents[m] := open_dependents[m] - 1;
                if open_dependents[m] = 0 then
                    tail := tail + 1;
                    queue[tail] := m;
                end if;
            end loop;
        end loop;
        exit attempts when not exhausted;
        -- No room between two ranks: include the tasks below, in the end all of them.
        lowest := case attempt
            when 1 then lowest - 17179869184
            else -9223372036854775808
        end;
    end loop attempts;

    if done < size then
        -- Each task left over is a blocker of another one left over. Following the dependents must
        -- come back to a task visited before: that is the cycle.
        for n in 1..size loop
            if open_dependents[n] > 0 then
                for i in first[n]..first[n + 1] - 1 loop
                    if blockers[i] is not null then
                        follower[blockers[i]] := n;
                    end if;
                end loop;
                m := n;
            end if;
        end loop;
        walk := null;
        tail := 0;
        while seen[m] is null loop
            seen[m] := true;
            m := follower[m];
        end loop;
        n := m;
        loop
            tail := tail + 1;
            walk[tail] := n;
            n := follower[n];
            exit when n = m;
        end loop;
        walk[tail + 1] := m;
        -- Dependents follow their blockers: backwards, each waits for the next.
        select array_agg(task.key order by step.position desc)
        into path
        from unnest(walk) with ordinality as step (n, position)
        cross join lateral (
            select member.key from tasks as member where member.id = ids[step.n] offset 0
        ) as task;
        perform raise_circular_dependency(path);
    end if;

    update tasks as task
    set graph_rank = change.graph_rank
    from (
        select given.graph_rank, found.place
        from unnest(ids, ranks, old_ranks) as given (id, graph_rank, old_rank)
        cross join lateral (
            select other.ctid as place from tasks as other where other.id = given.id offset 0
        ) as found
        where given.graph_rank <> given.old_rank
    ) as change
    where task.ctid = change.place;
end;
$$;

comment on function task_graph_repair(uuid[], uuid[]) is
    'Lowers ranks until blockers rank below their dependents again, or names the cycle.';

-- The tasks among *roots* and their blockers, direct or indirect, whose effective priority is less
-- urgent than *priority*. A task that is as urgent already has passed that on, and an abandoned one
-- passes nothing: the walk ends there. Each is visited once (union), and found by index, for the
-- reasons in task_graph_region.
create function lower_priority_blockers(roots uuid[], priority int)
    returns table (id uuid)
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive reached (id, is_active) as (
        select task.id, task.is_active
        from unnest(roots) as root (id)
        cross join lateral (
            select other.id, is_active(other.status, other.completed_at) as is_active
            from tasks as other
            where
                other.id = root.id
                and other.effective_priority > lower_priority_blockers.priority
            offset 0
        ) as task
        union
        select blocker.id, blocker.is_active
        from reached
        cross join lateral (
            select dependency.depends_on_id
            from task_dependencies as dependency
            where dependency.task_id = reached.id and dependency.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select other.id, is_active(other.status, other.completed_at) as is_active
            from tasks as other
            where
                other.id = edge.depends_on_id
                and other.effective_priority > lower_priority_blockers.priority
            offset 0
        ) as blocker
        where reached.is_active
    )

    select reached.id
    from reached;
$$;

comment on function lower_priority_blockers(uuid[], int) is
    'The tasks among these and their blockers that are less urgent than that.';

-- Gives task ids[i], and all its blockers, direct or indirect, at least priority priorities[i].
--
-- The most urgent go first: tasks that they reach are urgent enough for the rest, so each task is
-- written once and each edge followed once, however many are given.
--
-- The tasks reached are locked in the order of ids, and read again, until nothing changes: adding
-- an edge out of a task writes that task. See docs/decisions/0013-effective-priority.md.
create function inherit_priority(ids uuid[], priorities int[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    given record;
    lower uuid[];
    locked uuid[];
begin
    for given in
        select task.priority, array_agg(distinct task.id) as ids
        from unnest(ids, priorities) as task (id, priority)
        group by task.priority
        order by task.priority
    loop
        locked := null;
        loop
            select array_agg(task.id order by task.id)
            into lower
            from lower_priority_blockers(given.ids, given.priority) as task;
            exit when lower is not distinct from locked;
            perform
            from unnest(lower) as reached (id)
            cross join lateral (
                select from tasks as task where task.id = reached.id for no key update offset 0
            ) as task;
            locked := lower;
        end loop;
        update tasks as task
        set effective_priority = given.priority
        from (
            select found.place
            from unnest(lower) as reached (id)
            cross join lateral (
                select other.ctid as place from tasks as other where other.id = reached.id offset 0
            ) as found
        ) as change
        where task.ctid = change.place;
    end loop;
end;
$$;

comment on function inherit_priority(uuid[], int[]) is
    'Gives these tasks, and all their blockers, at least such a priority.';

-- The tasks among *roots* and their blockers, direct or indirect, that may have inherited a
-- priority from a root: more urgent than their own, and no more urgent than the task before on the
-- way. While a statement's changes are still being passed on, a blocker can be less urgent than its
-- dependent; it must be found when that one stops justifying it. Each is visited once (union), and
-- found by index, for the reasons in task_graph_region.
create function inherited_priorities(roots uuid[])
    returns table (id uuid)
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive heir (id, effective_priority, is_active) as (
        select task.id, task.effective_priority, task.is_active
        from unnest(roots) as root (id)
        cross join lateral (
            select
                other.id,
                other.effective_priority::int as effective_priority,
                is_active(other.status, other.completed_at) as is_active
            from tasks as other
            where other.id = root.id and other.effective_priority < other.priority
            offset 0
        ) as task
        union
        select blocker.id, blocker.effective_priority, blocker.is_active
        from heir
        cross join lateral (
            select dependency.depends_on_id
            from task_dependencies as dependency
            where dependency.task_id = heir.id and dependency.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select
                other.id,
                other.effective_priority::int as effective_priority,
                is_active(other.status, other.completed_at) as is_active
            from tasks as other
            where
                other.id = edge.depends_on_id
                and other.effective_priority >= heir.effective_priority
                and other.effective_priority < other.priority
            offset 0
        ) as blocker
        where heir.is_active
    )

    select heir.id
    from heir;
$$;

comment on function inherited_priorities(uuid[]) is
    'The tasks among these and their blockers that may have inherited from these.';

-- The dependents of the listed tasks, with their effective priorities; abandoned ones, which pass
-- nothing on, are left out. awaited is the position of the blocker in the list.
create function dependents_priorities(listed uuid[])
    returns table (awaited int, waiting_id uuid, effective_priority int)
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    select task.position::int, dependent.id, dependent.effective_priority
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select dependency.task_id
        from task_dependencies as dependency
        where dependency.depends_on_id = task.id and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge
    cross join lateral (
        select other.id, other.effective_priority::int as effective_priority
        from tasks as other
        where other.id = edge.task_id and is_active(other.status, other.completed_at)
        offset 0
    ) as dependent;
$$;

comment on function dependents_priorities(uuid[]) is
    'The active tasks that wait for these, with their effective priorities.';

-- Does what revoke_priority does, for deep graphs: all tasks that may have to change are found
-- first, and recomputed in memory. They are more than those that change in the end, but there is no
-- step for each level.
--
-- The dependents of tasks determine how urgent these remain: they are locked with them, in the
-- order of ids, and read again until nothing changes. All rows read are written, even unchanged:
-- there this meets a transaction with an older snapshot that changes the priority of one of them,
-- and still sees the old priority of its blockers. docs/decisions/0013-effective-priority.md;
-- tests/races/test_guards.py has the mutant.
--
-- The most urgent are final first, and dependents before their blockers where that matters
-- (Dijkstra, with a bucket for each of the ten priorities): linear in the tasks and edges
-- concerned.
create function revoke_deep_priority(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    undecided uuid[];
    around uuid[];
    locked uuid[];
    old_priorities int[];
    -- The priority of each, as far as it is known.
    priorities int[];
    -- The edges into these tasks: waiting[e] waits for awaited[e]; null: not one of them.
    awaited int[];
    waiting_ids uuid[];
    demands int[];
    waiting int[];
    -- The edges out of task n are first[n], next[first[n]] and so on.
    first int[];
    next int[];
    is_final boolean[];
    stack int[];
    height int;
    n int;
    m int;
    e int;
begin
    loop
        select array_agg(task.id) into undecided from inherited_priorities(ids) as task;
        if undecided is null then
            return;
        end if;
        select array_agg(distinct place.id order by place.id)
        into around
        from (
            select task.id
            from unnest(undecided) as task (id)
            union all
            select edge.task_id
            from unnest(undecided) as task (id)
            cross join lateral (
                select dependency.task_id
                from task_dependencies as dependency
                where
                    dependency.depends_on_id = task.id
                    and dependency.dependency_type <> 'suggests'
                offset 0
            ) as edge
        ) as place;
        exit when around = locked;
        perform
        from unnest(around) as given (id)
        cross join lateral (
            select from tasks as task where task.id = given.id for no key update offset 0
        ) as task;
        locked := around;
    end loop;

    select
        array_agg(task.effective_priority::int order by given.position),
        array_agg(task.priority::int order by given.position)
    into old_priorities, priorities
    from unnest(undecided) with ordinality as given (id, position)
    cross join lateral (
        select other.priority, other.effective_priority
        from tasks as other
        where other.id = given.id
        offset 0
    ) as task;
    select array_agg(edge.awaited), array_agg(edge.waiting_id), array_agg(edge.effective_priority)
    into awaited, waiting_ids, demands
    from dependents_priorities(undecided) as edge;
    waiting := positions_of(waiting_ids, undecided);

    first := array_fill(null::int, array[cardinality(undecided)]);
    next := array_fill(null::int, array[coalesce(cardinality(awaited), 0)]);
    for i in 1..coalesce(cardinality(awaited), 0) loop
        n := awaited[i];
        m := waiting[i];
        if m is null then
            priorities[n] := greatest(old_priorities[n], least(priorities[n], demands[i]));
        else
            next[i] := first[m];
            first[m] := i;
        end if;
    end loop;

    is_final := array_fill(false, array[cardinality(undecided)]);
    for level in 1..10 loop
        stack := null;
        height := 0;
        for i in 1..cardinality(undecided) loop
            if priorities[i] = level and not is_final[i] then
                height := height + 1;
                stack[height] := i;
            end if;
        end loop;
        while height > 0 loop
            n := stack[height];
            height := height - 1;
            continue when is_final[n];
            is_final[n] := true;
            e := first[n];
            while e is not null loop
                m := awaited[e];
                -- Never more urgent than now.
                if greatest(old_priorities[m], level) < priorities[m] then
                    priorities[m] := greatest(old_priorities[m], level);
                    if priorities[m] = level then
                        height := height + 1;
                        stack[height] := m;
                    end if;
                end if;
                e := next[e];
            end loop;
        end loop;
    end loop;

    update tasks as task
    set effective_priority = change.priority
    from (
        select coalesce(given.priority, found.effective_priority) as priority, found.place
        from (
            select unnest(undecided) as id, unnest(priorities) as priority
            union all
            select unchanged.id, null
            from (select unnest(around) as id except all select unnest(undecided)) as unchanged
        ) as given
        cross join lateral (
            select
                other.ctid as place,
                other.effective_priority
            from tasks as other
            where other.id = given.id
            offset 0
        ) as found
    ) as change
    where task.ctid = change.place;
end;
$$;

comment on function revoke_deep_priority(uuid[]) is
    'Revokes inherited priority that nothing justifies, from tasks and all their blockers at once.';

-- Revokes inherited priority that nothing justifies any more, from *ids* and their blockers, direct
-- or indirect: from tasks more urgent than their own priority and than all their dependents.
--
-- A task keeps its priority if a dependent is as urgent, and nothing below it is visited. So a
-- statement that changes many tasks, and comes here for each, costs as much as what changes, and
-- not each time as much as all that lies below. A graph deeper than 32 levels is recomputed at
-- once, since a step for each level is slow. Dependents are searched from the latest on: statements
-- mostly change the oldest first, and those no longer justify anything.
--
-- A task's dependents determine how urgent it remains: they are locked with it, or, for a task that
-- keeps its priority, the one that justifies it, in the order of ids, and read again until nothing
-- changes. They are written, even unchanged: there this meets a transaction with an older snapshot
-- that changes the priority of one of them, and still sees the old priority of its blockers.
-- docs/decisions/0013-effective-priority.md; tests/races/test_guards.py has the mutant. Rows that
-- this transaction has written already are not written again: a row with a thousand versions is
-- slow to find.
--
-- Without sorts a dependent comes from the index by blocker, read backwards, and the first one ends
-- the search. Plans are cached, since a statement may come here for each of its rows.
create function revoke_priority(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set enable_seqscan = off
    set enable_sort = off
    set plan_cache_mode = force_generic_plan
as $$
declare
    given uuid[] := ids;
    loose uuid[];
    old_priorities int[];
    keepers uuid[];
    around uuid[];
    locked uuid[];
begin
    for step in 1..32 loop
        locked := null;
        loop
            select
                array_agg(task.id) filter (where keeper.id is null),
                array_agg(task.old_priority) filter (where keeper.id is null),
                array_agg(keeper.id) filter (where keeper.id is not null)
            into loose, old_priorities, keepers
            from (select distinct unnest(given) as id) as place
            cross join lateral (
                select other.id, other.effective_priority::int as old_priority
                from tasks as other
                where other.id = place.id and other.effective_priority < other.priority
                offset 0
            ) as task
            left join lateral (
                select dependent.id
                from task_dependencies as edge
                cross join lateral (
                    select other.id
                    from tasks as other
                    where
                        other.id = edge.task_id
                        and other.effective_priority <= task.old_priority
                        and is_active(other.status, other.completed_at)
                    offset 0
                ) as dependent
                where edge.depends_on_id = task.id and edge.dependency_type <> 'suggests'
                order by edge.dependency_type desc, edge.task_id desc
                limit 1
            ) as keeper on true;
            if loose is null and keepers is null then
                return;
            end if;

            select array_agg(distinct place.id order by place.id)
            into around
            from (
                select unnest(loose || keepers) as id
                union all
                select edge.task_id
                from unnest(loose) as task (id)
                cross join lateral (
                    select dependency.task_id
                    from task_dependencies as dependency
                    where
                        dependency.depends_on_id = task.id
                        and dependency.dependency_type <> 'suggests'
                    offset 0
                ) as edge
            ) as place;
            exit when around = locked;
            perform
            from unnest(around) as given (id)
            cross join lateral (
                select from tasks as task where task.id = given.id for no key update offset 0
            ) as task;
            locked := around;
        end loop;

        update tasks as task
        set effective_priority = task.effective_priority
        from (
            select found.place
            from (select unnest(around) as id except all select unnest(loose)) as given
            cross join lateral (
                select other.ctid as place
                from tasks as other
                where other.id = given.id and other.xmin <> pg_current_xact_id()::xid
                offset 0
            ) as found
        ) as unchanged
        where task.ctid = unchanged.place;
        if loose is null then
            return;
        end if;
        update tasks as task
        set
            effective_priority = least(
                task.priority,
                (
                    select min(dependent.effective_priority)
                    from task_dependencies as edge
                    cross join lateral (
                        select other.effective_priority
                        from tasks as other
                        where
                            other.id = edge.task_id
                            and is_active(other.status, other.completed_at)
                        offset 0
                    ) as dependent
                    where edge.depends_on_id = task.id and edge.dependency_type <> 'suggests'
                )
            )
        from (
            select found.place
            from unnest(loose) as given (id)
            cross join lateral (
                select other.ctid as place from tasks as other where other.id = given.id offset 0
            ) as found
        ) as change
        where task.ctid = change.place;

        select array_agg(distinct blocker.id)
        into given
        from unnest(loose, old_priorities) as task (id, old_priority)
        cross join lateral (
            select edge.depends_on_id
            from task_dependencies as edge
            where edge.task_id = task.id and edge.dependency_type <> 'suggests'
            offset 0
        ) as edge
        cross join lateral (
            select other.id
            from tasks as other
            where
                other.id = edge.depends_on_id
                and other.effective_priority >= task.old_priority
                and other.effective_priority < other.priority
            offset 0
        ) as blocker;
    end loop;

    perform revoke_deep_priority(given);
end;
$$;

comment on function revoke_priority(uuid[]) is
    'Revokes inherited priority that nothing justifies, from tasks and their blockers.';

-- Returns whether a load has computed itself what its edges make of a new task: how many hold it
-- back, whether it has dependents, and with these its effective priority.
create function is_precomputed(
    details_follow boolean, open_dependencies int, has_dependents boolean
)
    returns boolean
    language sql
    immutable
    parallel safe
return details_follow is true and (open_dependencies > 0 or has_dependents);

comment on function is_precomputed(boolean, int, boolean) is
    'True if the columns of a new task that follow from its edges were given.';

-- Corrects what a load has computed itself of its tasks, where their edges say otherwise: the
-- number of those that hold a task back, and a priority that none of its dependents has. Those of
-- more urgent dependents are inherited where edges are added, whatever was given.
create function verify_precomputed(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_memoize = off
as $$
declare
    miscounted uuid[];
    counts int[];
    too_urgent uuid[];
begin
    select
        array_agg(task.id) filter (where task.open_dependencies <> waiting.count),
        array_agg(waiting.count) filter (where task.open_dependencies <> waiting.count),
        array_agg(task.id) filter (where not coalesce(task.is_own or keeper.is_there, false))
    into miscounted, counts, too_urgent
    from unnest(ids) as given (id)
    cross join lateral (
        select
            other.id,
            other.open_dependencies,
            other.effective_priority,
            other.effective_priority = other.priority as is_own
        from tasks as other
        where other.id = given.id
        offset 0
    ) as task
    cross join lateral (
        select count(*)::int as count
        from task_dependencies as edge
        where edge.task_id = task.id and not edge.is_satisfied
        offset 0
    ) as waiting
    left join lateral (
        select true as is_there
        from task_dependencies as edge
        cross join lateral (
            select
            from tasks as other
            where
                other.id = edge.task_id
                and other.effective_priority = task.effective_priority
                and is_active(other.status, other.completed_at)
            offset 0
        ) as dependent
        where
            not task.is_own
            and edge.depends_on_id = task.id
            and edge.dependency_type <> 'suggests'
        limit 1
    ) as keeper on true;

    if miscounted is not null then
        update tasks as task
        set
            open_dependencies = correct.count,
            status_seq = 0,
            status_agent = 'taskdb',
            status_note = 'its dependencies were miscounted'
        from (
            select given.count, found.place
            from unnest(miscounted, counts) as given (id, count)
            cross join lateral (
                select other.ctid as place from tasks as other where other.id = given.id offset 0
            ) as found
        ) as correct
        where task.ctid = correct.place;
    end if;
    if too_urgent is not null then
        perform revoke_priority(too_urgent);
    end if;
end;
$$;

comment on function verify_precomputed(uuid[]) is
    'Corrects the counts and priorities that a load gave its tasks, where their edges differ.';

-- Returns whether any pause exists. Every writer of is_paused calls it first: the answer holds
-- until the transaction ends, since a change of the pauses waits for all its readers. Above READ
-- COMMITTED the snapshot can be older than the last change; then it fails with 40001, as on any row
-- changed since. It runs as its owner, since a row lock needs the right to update.
create function any_pauses()
    returns boolean
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    -- A scan of all guards would, at SERIALIZABLE, meet the changes of the others.
    set enable_seqscan = off
as $$
declare
    are_there constant boolean := exists (select from claim_pauses);
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        perform from guards where name = 'pauses' for share;
    end if;
    return are_there;
end;
$$;

comment on function any_pauses() is 'True if claiming is paused for anything, as of now.';

-- Returns whether a pause covers a task of this type in this feature. Each kind of pause is looked
-- up by an index of its own: one condition over all kinds would read every pause.
create function is_claiming_paused(of_type text, in_feature uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return any_pauses() and (
        exists (
            select from claim_pauses as pause
            where pause.epic_id is null and pause.feature_id is null and pause.agent_type is null
        )
        or exists (
            select from claim_pauses as pause
            where pause.epic_id is null and pause.feature_id is null and pause.agent_type = of_type
        )
        or exists (select from claim_pauses as pause where pause.feature_id = in_feature)
        or exists (
            select from claim_pauses as pause
            where
                pause.epic_id = (
                    select feature.epic_id from features as feature where feature.id = in_feature
                )
        )
    );
end;
$$;

comment on function is_claiming_paused(text, uuid) is
    'True if claiming is paused for tasks of this agent type in this feature.';

-- Returns whether a pause covers a task, if it is for agents of this type.
create function is_task_paused(of_task uuid, of_type text)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return is_claiming_paused(
        of_type,
        (select details.feature_id from task_details as details where details.task_id = of_task)
    );
end;
$$;

comment on function is_task_paused(uuid, text) is
    'True if claiming is paused for this task, were it for agents of this type.';

-- Writes into open tasks whether claiming is paused for them. Their rows are locked in the order of
-- ids; a concurrent claim wins, and its task is paused as work in progress.
create function write_pauses(of_tasks uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    perform
    from tasks as task
    where task.id = any(of_tasks)
    order by task.id
    for no key update;

    update tasks as task
    set is_paused = not task.is_paused
    from task_details as details
    where
        task.id = any(of_tasks)
        and details.task_id = task.id
        -- Not as a list of those wanted, for which there is an index.
        and task.status not in ('completed', 'failed', 'cancelled', 'archived')
        and task.is_paused <> is_claiming_paused(task.agent_type, details.feature_id);
end;
$$;

comment on function write_pauses(uuid[]) is
    'Writes into open tasks whether claiming is paused for them.';

-- Propagates the priority of a task that changed it, was abandoned, or was taken up again: its
-- blockers inherit the new priority, or stop inheriting from it.
create function pass_on_priority(
    of_task uuid, old_priority int, new_priority int, was_active boolean
)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    awaited uuid[];
    priority int;
    is_active_now boolean;
begin
    if new_priority > old_priority then
        perform revoke_priority(array[of_task]);
    end if;

    -- Read again: another row of the same statement may have changed it since.
    select
        array_agg(edge.depends_on_id),
        min(task.effective_priority),
        bool_or(is_active(task.status, task.completed_at))
    into awaited, priority, is_active_now
    from (
        select other.effective_priority, other.status, other.completed_at
        from tasks as other
        where other.id = of_task
        offset 0
    ) as task
    cross join lateral (
        select dependency.depends_on_id
        from task_dependencies as dependency
        where dependency.task_id = of_task and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge;
    if awaited is null then
        return;
    end if;

    if is_active_now then
        perform inherit_priority(awaited, array_fill(priority, array[cardinality(awaited)]));
    elsif was_active then
        perform revoke_priority(awaited);
    end if;
end;
$$;

comment on function pass_on_priority(uuid, int, int, boolean) is
    'Passes a change of a task''s priority on to its blockers.';

-- Bound tasks (cancelled_with, compensates) end with their blocker, and come back with it.
--
--   A bound task that waits ends with its blocker. One that is in progress or in review goes on,
--   and ends if it comes back to wait: released, to be retried, lapsed.
--   What ended so is open again as soon as no blocker that it is bound to is dead: the blocker is
--   requeued, or the dependency removed. Deleting the blocker takes nothing up again.
--   What a person reopens or cancels stays so.
--
-- Each row is looked up by its key alone (lateral with offset 0): with a condition on the status
-- beside it, a plan made when few tasks were cancelled reads all of them at each step.
--
-- The functions look for tasks in one walk, each visited once, so that a chain of thousands
-- is ended by one statement: the trigger that each of its rows fires then finds nothing more to
-- do. Ended by the walk from a row at a time they would nest as deep as the chain is long.

-- Open tasks that have not begun and whose wait for a blocker, or for what ends with it, is dead.
create function doomed_dependents(of_task uuid)
    returns uuid[]
    language sql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive doomed (id) as (
        select dependent.id
        from tasks as blocker
        cross join lateral (
            select edge.task_id
            from task_dependencies as edge
            where
                edge.depends_on_id = blocker.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
                and is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
            offset 0
        ) as edge
        cross join lateral (
            select
                task.id,
                task.status
            from tasks as task
            where task.id = edge.task_id
            offset 0
        ) as dependent
        where blocker.id = of_task and dependent.status in ('pending', 'blocked')
        union
        -- Each edge of a bound task to a cancelled one is dead.
        select dependent.id
        from doomed
        cross join lateral (
            select edge.task_id
            from task_dependencies as edge
            where
                edge.depends_on_id = doomed.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
            offset 0
        ) as edge
        cross join lateral (
            select
                task.id,
                task.status
            from tasks as task
            where task.id = edge.task_id
            offset 0
        ) as dependent
        where dependent.status in ('pending', 'blocked')
    )

    select array_agg(doomed.id order by doomed.id)
    from doomed;
$$;

comment on function doomed_dependents(uuid) is
    'The tasks that have not begun and end with this one, in the order of ids.';

-- The given tasks that ended with a blocker, and all that ended with them, but for those that a
-- dead blocker holds.
create function revived_tasks(given_ids uuid[])
    returns uuid[]
    language sql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive candidate (id) as (
        select task.id
        from unnest(given_ids) as given (id)
        cross join lateral (
            select
                other.id,
                other.status,
                other.status_seq
            from tasks as other
            where other.id = given.id
            offset 0
        ) as task
        cross join lateral (
            select history.automatic
            from task_history as history
            where history.task_id = task.id and history.seq = task.status_seq
            offset 0
        ) as entry
        where task.status = 'cancelled' and entry.automatic
        union
        select dependent.id
        from candidate
        cross join lateral (
            select edge.task_id
            from task_dependencies as edge
            where
                edge.depends_on_id = candidate.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
            offset 0
        ) as edge
        cross join lateral (
            select
                task.id,
                task.status,
                task.status_seq
            from tasks as task
            where task.id = edge.task_id
            offset 0
        ) as dependent
        cross join lateral (
            select history.automatic
            from task_history as history
            where history.task_id = dependent.id and history.seq = dependent.status_seq
            offset 0
        ) as entry
        where dependent.status = 'cancelled' and entry.automatic
    ),

    held (id) as (
        select candidate.id
        from candidate
        cross join lateral (
            select
                edge.depends_on_id,
                edge.dependency_type
            from task_dependencies as edge
            where
                edge.task_id = candidate.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
            offset 0
        ) as edge
        cross join lateral (
            select
                task.id,
                task.status,
                task.completed_at
            from tasks as task
            where task.id = edge.depends_on_id
            offset 0
        ) as blocker
        where
            is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
            and blocker.id not in (select other.id from candidate as other)
        union
        select dependent.task_id
        from held
        cross join lateral (
            select edge.task_id
            from task_dependencies as edge
            where
                edge.depends_on_id = held.id
                and edge.dependency_type in ('cancelled_with', 'compensates')
            offset 0
        ) as dependent
    )

    select array_agg(candidate.id order by candidate.id)
    from candidate
    where candidate.id not in (select held.id from held);
$$;

comment on function revived_tasks(uuid[]) is
    'The tasks among these and behind them that no dead blocker holds, in the order of ids.';

-- Takes tasks up again that ended with a blocker, and what ended with them.
create function take_up_again(given_ids uuid[], note text)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    ids uuid[] := revived_tasks(given_ids);
begin
    if ids is not null then
        perform from tasks as task where task.id = any(ids) order by task.id for no key update;
        ids := revived_tasks(given_ids);
        update tasks as task
        set
            status = 'pending',
            status_seq = 0,
            status_agent = 'taskdb',
            status_note = note,
            status_forced = true
        where task.id = any(ids);
    end if;
end;
$$;

comment on function take_up_again(uuid[], text) is
    'Takes up tasks again that ended with a blocker, unless a dead one holds them.';

-- Ends a task that has come back to wait, if it is bound to a dead blocker. A blocker that changes
-- at this moment has written this task's row, or waits for it and looks then.
create function end_with_blocker(of_task uuid)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    blocker_key text;
begin
    select min(blocker.key)
    into blocker_key
    from task_dependencies as edge
    cross join lateral (
        select task.key
        from tasks as task
        where
            task.id = edge.depends_on_id
            and is_dead(edge.dependency_type, task.status, task.completed_at)
        offset 0
    ) as blocker
    where edge.task_id = of_task and edge.dependency_type in ('cancelled_with', 'compensates');
    if blocker_key is not null then
        perform cancel_with_blocker(array[of_task], blocker_key);
    end if;
end;
$$;

comment on function end_with_blocker(uuid) is
    'Cancels a task that has come back to wait and is bound to a dead blocker.';

-- Cancels tasks with their blocker, if they have not begun meanwhile.
create function cancel_with_blocker(ids uuid[], blocker_key text)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update tasks as task
    set
        status = 'cancelled',
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = blocker_key,
        -- A team may forbid the transition to people.
        status_forced = not exists (
            select from task_status_transitions as allowed
            where allowed.old_status = task.status and allowed.new_status = 'cancelled'
        )
    where
        task.id = any(ids)
        and task.status not in (
            'in_progress', 'in_review', 'completed', 'failed', 'cancelled', 'archived'
        );
end;
$$;

comment on function cancel_with_blocker(uuid[], text) is
    'Cancels those of these tasks that have not begun.';

-- Called with the blocker's row written. Rows are locked first, and looked for again by a
-- statement, and so with a snapshot, of its own: what was claimed meanwhile goes on, and so does
-- what waits for it. An edge that is added meanwhile has written its blocker's row, and the trigger
-- of that row looks again.
--
-- A cancelled task is open again if all of its blockers allow it, and one in progress ends when it
-- comes back to wait, if one of them is dead; other transactions may be changing these. So each
-- change of a blocker locks the tasks bound to it, and writes those that are cancelled or in
-- progress, even if they stay so: there two changes meet, and the later one sees the earlier,
-- or fails with 40001. tests/races/test_bound_races.py
create function follow_blocker(of_task uuid, blocker_key text)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    bound uuid[];
    ids uuid[];
begin
    select array_agg(edge.task_id order by edge.task_id) into bound
    from task_dependencies as edge
    where
        edge.depends_on_id = of_task
        and edge.dependency_type in ('cancelled_with', 'compensates');
    perform
    from unnest(bound) as given (id)
    cross join lateral (
        select
        from tasks as task
        where
            task.id = given.id
            -- Not as a list of those wanted, for which there is an index.
            and task.status not in ('completed', 'failed', 'archived')
        for no key update
        offset 0
    ) as task;

    ids := doomed_dependents(of_task);
    if ids is not null then
        perform from tasks as task where task.id = any(ids) order by task.id for no key update;
        ids := doomed_dependents(of_task);
        perform cancel_with_blocker(ids, blocker_key);
    end if;

    -- A change of this column fires no trigger. What this transaction has written is left out.
    update tasks as task
    set has_dependents = task.has_dependents
    from unnest(bound) as given (id)
    cross join lateral (
        select other.ctid as place, other.status, age(other.xmin) as age
        from tasks as other
        where other.id = given.id
        offset 0
    ) as found
    where
        task.ctid = found.place
        and found.status in ('cancelled', 'in_progress', 'in_review')
        and found.age <> 0;

    select array_agg(edge.task_id)
    into ids
    from task_dependencies as edge
    cross join lateral (
        select from tasks as task
        where
            task.id = of_task
            and not is_dead(edge.dependency_type, task.status, task.completed_at)
        offset 0
    ) as blocker
    where
        edge.depends_on_id = of_task
        and edge.dependency_type in ('cancelled_with', 'compensates');
    if ids is not null then
        perform take_up_again(ids, blocker_key);
    end if;
end;
$$;

comment on function follow_blocker(uuid, text) is
    'Cancels the tasks that end with this one, or takes them up again with it.';

-- A task has begun or ceased to satisfy the dependencies on it: marks its edges so, and counts one
-- open dependency less or more at its dependents. apply_task_change does the rest.
--
-- A dependent counts exactly the edges with is_satisfied false, so none is counted twice, whatever
-- else the same statement does. Every change of a count writes the dependent's row: two blockers
-- that complete at once meet there. A concurrently added edge has written this task's row (see
-- add_edges), so the two cannot miss each other; a concurrently removed one has written its
-- dependent's row: lock first, and read the edges in a later statement, and so in a new snapshot.
--
-- A statement can complete thousands of blockers of one task, and comes here for each. So if this
-- transaction has already written a dependent, its next edges are handled too, and most calls for
-- its other blockers find nothing left to do. Not all its edges: a transaction that completes them
-- one by one would read all of them each time.
--
-- The statement that completes a blocker may have added the edge to it: then it is subtracted here
-- and added by add_edges, in either order. In between the count may be -1. age finds rows that this
-- transaction has written, and now and then a younger transaction's: then more edges are read.
--
-- Bound tasks follow their blocker in the end (follow_blocker).
create function unblock_dependents(of_task uuid)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    stale_waiting uuid[];
    stale_awaited uuid[];
    blocker_key text;
    are_bound boolean;
begin
    select
        array_agg(edge.task_id order by edge.task_id) filter (where edge.has_changed),
        min(blocker.key),
        bool_or(edge.is_bound)
    into waiting, blocker_key, are_bound
    from (
        select task.key, task.status, task.completed_at
        from tasks as task
        where task.id = of_task
        offset 0
    ) as blocker
    cross join lateral (
        select
            dependency.task_id,
            dependency.is_satisfied
            <> is_satisfied(dependency.dependency_type, blocker.status, blocker.completed_at)
            as has_changed,
            dependency.dependency_type in ('cancelled_with', 'compensates') as is_bound
        from task_dependencies as dependency
        where dependency.depends_on_id = of_task and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge
    where edge.has_changed or edge.is_bound;
    if waiting is null then
        perform follow_blocker(of_task, blocker_key) where are_bound;
        return;
    end if;

    perform
    from unnest(waiting) as given (id)
    cross join lateral (
        select from tasks as task where task.id = given.id for no key update offset 0
    ) as task;

    select array_agg(edge.task_id), array_agg(edge.depends_on_id)
    into stale_waiting, stale_awaited
    from unnest(waiting) as given (id)
    cross join lateral (
        select case when age(task.xmin) > 0 then 1 else 16 end as edge_count
        from tasks as task
        where task.id = given.id
        offset 0
    ) as dependent
    cross join lateral (
        select dependency.*
        from task_dependencies as dependency
        where dependency.task_id = given.id and dependency.depends_on_id >= of_task
        order by dependency.depends_on_id
        limit dependent.edge_count
    ) as edge
    cross join lateral (
        select
        from tasks as task
        where
            task.id = edge.depends_on_id
            and edge.dependency_type <> 'suggests'
            and edge.is_satisfied
            <> is_satisfied(edge.dependency_type, task.status, task.completed_at)
        offset 0
    ) as blocker;

    with edge as (
        update task_dependencies as dependency
        set is_satisfied = not dependency.is_satisfied
        from (
            select found.*
            from unnest(stale_waiting, stale_awaited) as given (task_id, depends_on_id)
            cross join lateral (
                select
                    other.ctid as place,
                    case when other.is_satisfied then 1 else -1 end as opened
                from task_dependencies as other
                where
                    other.task_id = given.task_id and other.depends_on_id = given.depends_on_id
                offset 0
            ) as found
        ) as stale
        where dependency.ctid = stale.place
        returning dependency.task_id, stale.opened
    )

    update tasks as task
    set
        open_dependencies = task.open_dependencies + change.opened,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = blocker_key
    from (
        select sum(edge.opened)::int as opened, dependent.place
        from edge
        cross join lateral (
            select other.ctid as place from tasks as other where other.id = edge.task_id offset 0
        ) as dependent
        group by dependent.place
    ) as change
    where task.ctid = change.place;
    if are_bound then
        perform follow_blocker(of_task, blocker_key);
    end if;
end;
$$;

comment on function unblock_dependents(uuid) is
    'Brings the dependencies on a task, and the counts of its dependents, up to date.';

-- Does for many edges what add_edges does for one: each end is read once and written once, and the
-- edges are visited once, in memory, from the highest rank down. In that order a task's priority is
-- final before its blockers inherit it.
--
-- A load computes itself what the edges make of its new tasks, and nobody else sees these yet. They
-- are written only where a dependent is more urgent than it knew; the rest is verified when their
-- second rows come (verify_precomputed).
--
-- waiting[i] depends on awaited[i]. Tasks are looked up by id one by one (lateral with offset 0),
-- and written by ctid: a plan made for two edges, or from statistics of another load, must do for a
-- million.
create function add_many_edges(
    waiting uuid[], awaited uuid[], types dependency_type[], satisfied boolean[]
)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_bitmapscan = off
    set enable_material = off
    set enable_memoize = off
    set jit = off
as $$
declare
    ends uuid[];
    -- The ends, from the highest rank down, and their columns.
    ids uuid[];
    keys text[];
    ranks bigint[];
    old_priorities int[];
    priorities int[];
    is_active boolean[];
    satisfies_requires boolean[];
    satisfies_blocks boolean[];
    satisfies_compensates boolean[];
    has_dependents boolean[];
    is_precomputed boolean[];
    is_awaited boolean[];
    is_waiting boolean[];
    opened int[];
    blocker_keys text[];
    -- The edges, by the position of their tasks; number is the edge's place in the arguments.
    waiters int[];
    blockers int[];
    numbers int[];
    n int;
    m int;
    e int;
    wrong_waiting uuid[];
    wrong_awaited uuid[];
    wrong_count int;
    -- Edges whose is_satisfied has to change.
    changed_waiting uuid[];
    changed_awaited uuid[];
    changed_to boolean[];
    changed_waiters int[];
    changes int[];
    changed_count int;
    now_satisfied boolean;
    lower uuid[];
    lower_priorities int[];
begin
    select array_agg(distinct task_end.id)
    into ends
    from unnest(waiting || awaited, types || types) as task_end (id, dependency_type)
    where task_end.dependency_type <> 'suggests';

    loop
        -- A locked row is read in its current state, whatever the snapshot. Only its own columns
        -- are read.
        select
            array_agg(task.id),
            array_agg(task.key),
            array_agg(task.graph_rank),
            array_agg(task.effective_priority),
            array_agg(task.is_active),
            array_agg(task.satisfies_requires),
            array_agg(task.satisfies_blocks),
            array_agg(task.satisfies_compensates),
            array_agg(task.has_dependents),
            array_agg(task.is_precomputed)
        into
            ids, keys, ranks, old_priorities, is_active,
            satisfies_requires, satisfies_blocks, satisfies_compensates,
            has_dependents, is_precomputed
        from (
            select found.*
            from unnest(ends) as given (id)
            cross join lateral (
                select
                    other.id,
                    other.key,
                    other.graph_rank,
                    other.effective_priority::int as effective_priority,
                    is_active(other.status, other.completed_at) as is_active,
                    is_satisfied('requires', other.status, other.completed_at)
                        as satisfies_requires,
                    is_satisfied('blocks', other.status, other.completed_at) as satisfies_blocks,
                    is_satisfied('compensates', other.status, other.completed_at)
                        as satisfies_compensates,
                    other.has_dependents,
                    is_precomputed(
                        other.details_follow, other.open_dependencies, other.has_dependents
                    )
                    and (
                        select true from task_details as details where details.task_id = other.id
                    ) is null
                        as is_precomputed
                from tasks as other
                where other.id = given.id
                for no key update
                offset 0
            ) as found
            order by found.graph_rank desc
        ) as task;
        select edge.waiters, edge.blockers, edge.numbers
        into waiters, blockers, numbers
        from edges_by_position(waiting, awaited, types, ids) as edge;

        priorities := old_priorities;
        opened := array_fill(0, array[coalesce(cardinality(ids), 0)]);
        is_awaited := array_fill(false, array[coalesce(cardinality(ids), 0)]);
        is_waiting := is_awaited;
        blocker_keys := array_fill(null::text, array[coalesce(cardinality(ids), 0)]);
        wrong_waiting := null;
        wrong_awaited := null;
        wrong_count := 0;
        changed_waiting := null;
        changed_awaited := null;
        changed_to := null;
        changed_waiters := null;
        changed_count := 0;
        for i in 1..coalesce(cardinality(numbers), 0) loop
            n := waiters[i];
            m := blockers[i];
            e := numbers[i];
            if ranks[m] >= ranks[n] then
                wrong_count := wrong_count + 1;
                wrong_waiting[wrong_count] := ids[n];
                wrong_awaited[wrong_count] := ids[m];
            end if;
            is_awaited[m] := true;
            is_waiting[n] := true;
            if priorities[n] < priorities[m] and is_active[n] then
                priorities[m] := priorities[n];
            end if;
            now_satisfied := case types[e]
                when 'blocks' then satisfies_blocks[m]
                when 'compensates' then satisfies_compensates[m]
                else satisfies_requires[m]
            end;
            if not satisfied[e] then
                opened[n] := opened[n] + 1;
            end if;
            if not now_satisfied and (blocker_keys[n] is null or keys[m] < blocker_keys[n]) then
                blocker_keys[n] := keys[m];
            end if;
            if now_satisfied <> satisfied[e] then
                changed_count := changed_count + 1;
                changed_waiting[changed_count] := waiting[e];
                changed_awaited[changed_count] := awaited[e];
                changed_to[changed_count] := now_satisfied;
                changed_waiters[changed_count] := n;
            end if;
        end loop;
        exit when wrong_count = 0;
        perform task_graph_repair(wrong_waiting, wrong_awaited);
    end loop;

    if 'suggests' = any(types) then
        for i in 1..cardinality(types) loop
            if types[i] = 'suggests' then
                changed_count := changed_count + 1;
                changed_waiting[changed_count] := waiting[i];
                changed_awaited[changed_count] := awaited[i];
                changed_to[changed_count] := true;
                changed_waiters[changed_count] := null;
            end if;
        end loop;
    end if;
    if changed_count > 0 then
        with edge as (
            update task_dependencies as dependency
            set is_satisfied = stale.now_satisfied
            from (
                select found.place, change.now_satisfied, change.waiter
                from unnest(changed_waiting, changed_awaited, changed_to, changed_waiters)
                    as change (task_id, depends_on_id, now_satisfied, waiter)
                cross join lateral (
                    select other.ctid as place
                    from task_dependencies as other
                    where
                        other.task_id = change.task_id
                        and other.depends_on_id = change.depends_on_id
                        and other.is_satisfied <> change.now_satisfied
                    offset 0
                ) as found
            ) as stale
            where dependency.ctid = stale.place
            returning
                stale.waiter,
                case when stale.now_satisfied then -1 else 1 end as opened
        )

        select array_agg(edge.waiter), array_agg(edge.opened)
        into waiters, changes
        from edge
        where edge.waiter is not null;
        for i in 1..coalesce(cardinality(waiters), 0) loop
            n := waiters[i];
            opened[n] := opened[n] + changes[i];
        end loop;
    end if;
    if ids is null then
        return;
    end if;

    update tasks as task
    set
        open_dependencies = task.open_dependencies
            + case when change.is_precomputed then 0 else change.opened end,
        effective_priority = change.priority,
        has_dependents = task.has_dependents or change.is_awaited,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = change.blocker_key
    from (
        select given.*, found.place
        from
            unnest(
                ids,
                opened,
                priorities,
                old_priorities,
                blocker_keys,
                is_awaited,
                is_waiting,
                has_dependents,
                is_precomputed
            )
            as given (
                id,
                opened,
                priority,
                old_priority,
                blocker_key,
                is_awaited,
                is_waiting,
                has_dependents,
                is_precomputed
            )
        cross join lateral (
            select other.ctid as place from tasks as other where other.id = given.id offset 0
        ) as found
        where
            given.is_waiting
            and (
                given.is_precomputed is not true
                or given.priority < given.old_priority
                or (given.is_awaited and not given.has_dependents)
            )
    ) as change
    where task.ctid = change.place;
    update tasks as task
    set
        has_dependents = true,
        is_passed_on = true,
        effective_priority = change.priority
    from (
        select given.priority, found.place
        from
            unnest(
                ids, priorities, old_priorities, is_waiting, has_dependents, is_precomputed
            )
            as given (
                id, priority, old_priority, is_waiting, has_dependents, is_precomputed
            )
        cross join lateral (
            select other.ctid as place from tasks as other where other.id = given.id offset 0
        ) as found
        where
            not given.is_waiting
            and (
                given.is_precomputed is not true
                or given.priority < given.old_priority
                or not given.has_dependents
            )
    ) as change
    where task.ctid = change.place;

    -- The previous blockers of the ends inherit as well.
    select array_agg(blocker.id), array_agg(given.priority)
    into lower, lower_priorities
    from unnest(ids, old_priorities, priorities, is_active)
        as given (id, old_priority, priority, is_active)
    cross join lateral (
        select edge.depends_on_id
        from task_dependencies as edge
        where edge.task_id = given.id and edge.dependency_type <> 'suggests'
        offset 0
    ) as edge
    cross join lateral (
        select other.id
        from tasks as other
        where other.id = edge.depends_on_id and other.effective_priority > given.priority
        offset 0
    ) as blocker
    where given.is_active and given.priority < given.old_priority;
    if lower is not null then
        perform inherit_priority(lower, lower_priorities);
    end if;

    -- Tasks bound to one that has ended already end at once.
    if types && '{cancelled_with, compensates}' then
        perform follow_blocker(blocker.id, blocker.key)
        from (
            select distinct task.id, task.key
            from unnest(awaited, types) as edge (id, dependency_type)
            inner join tasks as task on task.id = edge.id
            where
                edge.dependency_type in ('cancelled_with', 'compensates')
                and is_dead(edge.dependency_type, task.status, task.completed_at)
        ) as blocker;
    end if;
end;
$$;

comment on function add_many_edges(uuid[], uuid[], dependency_type[], boolean[]) is
    'Counts new dependencies at their tasks, ranks them, and passes their priority on.';

-- The open tasks among these, and their open blockers, direct or indirect. Satisfied edges and
-- suggestions block nothing, so they are not followed.
--
-- Each task is visited once (union), and its blockers are found by index, as in
-- task_graph_region: a join of whole tables per level costs minutes on a deep chain.
create function open_task_region(roots uuid[])
    returns setof uuid
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive region (id) as (
        select open.id
        from unnest(roots) as root (id)
        cross join lateral (
            select task.id
            from tasks as task
            where
                task.id = root.id
                and task.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as open
        union
        select blocker.id
        from region
        cross join lateral (
            select other.id
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.depends_on_id
            where
                edge.task_id = region.id
                and edge.dependency_type <> 'suggests'
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as blocker
    )

    select region.id
    from region;
$$;

comment on function open_task_region(uuid[]) is
    'The open tasks among these, and their open blockers, direct or indirect.';

-- The unsatisfied edges out of the listed tasks, in the order of the list. A dead edge can never be
-- satisfied: its blocker failed, or was abandoned under requires.
create function open_task_blockers(listed uuid[])
    returns table (waiting int, blocker_id uuid, dead boolean)
    language sql
    stable
    rows 100
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    select task.position::int, blocker.blocker_id, blocker.dead
    from unnest(listed) with ordinality as task (id, position)
    cross join lateral (
        select
            other.id as blocker_id,
            other.status not in ('pending', 'blocked', 'in_progress', 'in_review') as dead
        from task_dependencies as edge
        inner join tasks as other on other.id = edge.depends_on_id
        where
            edge.task_id = task.id
            and not is_satisfied(edge.dependency_type, other.status, other.completed_at)
        offset 0
    ) as blocker
    order by task.position;
$$;

comment on function open_task_blockers(uuid[]) is
    'The unsatisfied dependencies of these tasks, by their place in the list.';

-- Finds a cycle in a graph of nodes 1 to node_count, in time linear in their number: nodes are
-- removed as soon as all that they wait for are (Kahn 1962). Each node left waits for another node
-- left, so following the edges must come back to one of them. Edges are given by the positions of
-- their two ends, in the order of *needed*.
create function cycle_by_position(node_count int, waiting int[], needed int[])
    returns int[]
    language plpgsql
    immutable
    set search_path from current
as $$
declare
    first int[];
    still int[];
    taken int[] := '{}';
    following int[];
    seen int[] := '{}';
    at_node int := 1;
begin
    if needed is null then
        return null;
    end if;

    -- The dependents of node n are waiting[first[n]] up to the start of the next node's.
    first := array_fill(0, array[node_count + 1]);
    still := array_fill(0, array[node_count]);
    for i in 1..cardinality(needed) loop
        first[needed[i] + 1] := first[needed[i] + 1] + 1;
        still[waiting[i]] := still[waiting[i]] + 1;
    end loop;
    first[1] := 1;
    for n in 1..node_count loop
        first[n + 1] := first[n] + first[n + 1];
        if still[n] = 0 then
            taken := taken || n;
        end if;
    end loop;

    while at_node <= cardinality(taken) loop
        for i in first[taken[at_node]]..first[taken[at_node] + 1] - 1 loop
            still[waiting[i]] := still[waiting[i]] - 1;
            if still[waiting[i]] = 0 then
                taken := taken || waiting[i];
            end if;
        end loop;
        at_node := at_node + 1;
    end loop;
    if cardinality(taken) = node_count then
        return null;
    end if;

    following := array_fill(0, array[node_count]);
    for i in 1..cardinality(needed) loop
        if still[needed[i]] > 0 and still[waiting[i]] > 0 then
            following[waiting[i]] := needed[i];
            at_node := waiting[i];
        end if;
    end loop;
    while not at_node = any(seen) loop
        seen := seen || at_node;
        at_node := following[at_node];
    end loop;
    seen := seen[array_position(seen, at_node):] || at_node;
    return seen;
end;
$$;

comment on function cycle_by_position(int, int[], int[]) is
    'The positions of nodes that wait for each other in a cycle, the first one again at the end; '
    'null if there is no cycle.';

-- Finds a cycle among steps of workflows, in time linear in the number of needs. The steps are in
-- the order of their ids; with each one are all that need it, directly or not.
create function step_cycle(steps uuid[])
    returns text[]
    language plpgsql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    waiting int[];
    needed int[];
    seen int[];
begin
    select
        positions_of(array_agg(need.step_id order by need.needs_id), steps),
        positions_of(array_agg(need.needs_id order by need.needs_id), steps)
    into waiting, needed
    from unnest(steps) as listed (id)
    cross join lateral (
        select
            found.step_id,
            found.needs_id
        from workflow_steps as step
        inner join workflow_step_needs as found
            on found.workflow_id = step.workflow_id and found.needs_id = step.id
        where step.id = listed.id
        offset 0
    ) as need;
    seen := cycle_by_position(cardinality(steps), waiting, needed);
    if seen is null then
        return null;
    end if;
    return array(
        select step.key::text
        from unnest(seen) with ordinality as visit (n, place)
        inner join workflow_steps as step on step.id = steps[visit.n]
        order by visit.place
    );
end;
$$;

comment on function step_cycle(uuid[]) is
    'The keys of steps that need each other in a cycle, the first one again at the end; null if '
    'there is no cycle.';

-- Counts one more or one less unhealthy dependency at its task, or at its workflow. The workflow's
-- row is locked first, then, if its tasks must follow, they are, in the order of ids.
create function change_unhealthy(of_task uuid, of_workflow uuid, change int)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    old_count int;
begin
    if of_task is not null then
        update tasks as task
        set unhealthy_dependencies = task.unhealthy_dependencies + change
        where task.id = of_task;
        return;
    end if;

    select workflow.unhealthy_dependencies
    into old_count
    from workflows as workflow
    where workflow.id = of_workflow
    for update;
    if (old_count = 0) <> (old_count + change = 0) then
        perform 1
        from tasks as task
        where task.workflow_id = of_workflow
        order by task.id
        for no key update;
    end if;
    update workflows as workflow
    set
        unhealthy_dependencies = workflow.unhealthy_dependencies + change,
        is_healthy = workflow.unhealthy_dependencies + change = 0
    where workflow.id = of_workflow;
end;
$$;

comment on function change_unhealthy(uuid, uuid, int) is
    'Changes the count of unhealthy dependencies of a task or a workflow.';

-- The files of a template with its variables put in. Each content is split at its placeholders once
-- and joined again, so a value is never interpreted: any {{NAME}}, backslash or regular expression
-- in it stays as it is. A placeholder of no variable stays, too.
create function fill_template(
    files jsonb, required_vars text[], optional_vars text[], given jsonb
)
    returns jsonb
    language plpgsql
    immutable
    set search_path from current
as $$
declare
    placeholder constant text := '\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}';
    missing text;
    unknown text;
begin
    select string_agg(variable.name, ', ' order by variable.name)
    into missing
    from unnest(required_vars) as variable (name)
    where not given ? variable.name;
    select string_agg(variable.name, ', ' order by variable.name)
    into unknown
    from jsonb_object_keys(given) as variable (name)
    where variable.name <> all (required_vars || optional_vars);
    if missing is not null or unknown is not null then
        raise exception using
            errcode = 'TD005',
            message = 'the variables are not those of the template',
            detail = 'TD005 variables: '
                || concat_ws(
                    ' and ', 'must give ' || missing, 'must not give ' || unknown
                );
    end if;
    return coalesce(
        (
            select jsonb_object_agg(file.path, filled.content)
            from jsonb_each_text(files) as file (path, content)
            cross join lateral (
                select
                    string_agg(
                        piece.content
                        || case
                            when mark.name is null then ''
                            when mark.name = any (required_vars || optional_vars)
                                then coalesce(given ->> mark.name, '')
                            else '{{' || mark.name || '}}'
                        end,
                        '' order by piece.place
                    ) as content
                from regexp_split_to_table(file.content, placeholder)
                    with ordinality as piece (content, place)
                left join (
                    select found.names[1] as name, found.place
                    from regexp_matches(file.content, placeholder, 'g')
                        with ordinality as found (names, place)
                ) as mark on mark.place = piece.place
            ) as filled
        ),
        '{}'
    );
end;
$$;

comment on function fill_template(jsonb, text[], text[], jsonb) is
    'The files of a template with its variables put in; refuses missing and unknown ones.';

create trigger project_contexts_50_touch_updated_at
    before update on project_contexts
    for each row
    execute function touch_updated_at();

-- Every change of a project raises its version, whatever the statement sets.
create function count_version()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.version := old.version + 1;
    return new;
end;
$$;

comment on function count_version() is 'Counts the changes of a row.';

create trigger project_contexts_51_count_version
    before update on project_contexts
    for each row
    execute function count_version();

create trigger project_environments_50_touch_updated_at
    before update on project_environments
    for each row
    execute function touch_updated_at();

-- A change of a modification's status must be a row of modification_status_transitions. None is
-- from a status to itself: an applied one is not applied again, with other files.
create trigger modifications_10_refuse_transition
    before update of status on modifications
    for each row
    execute function refuse_transition(
        'modification_status_transitions', 'the modification', 'ask for another'
    );

-- A request or an approval is for the project's current version; the moments are the server's.
create function normalize_modification()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if tg_op = 'INSERT' or (new.status = 'approved' and old.status <> 'approved') then
        select project.version
        into new.base_version
        from project_contexts as project
        where project.id = new.project_id;
        -- A missing project is reported by the foreign key.
        new.base_version := coalesce(new.base_version, 0);
    else
        new.base_version := old.base_version;
    end if;
    if tg_op = 'INSERT' or new.status <> old.status then
        new.approved_at := case
            when new.status = 'approved' then now()
            when tg_op = 'UPDATE' then old.approved_at
        end;
        new.applied_at := case when new.status = 'applied' then now() end;
        new.ended_at := case when new.status in ('applied', 'failed', 'rejected') then now() end;
    else
        new.approved_at := old.approved_at;
        new.applied_at := old.applied_at;
        new.ended_at := old.ended_at;
    end if;
    return new;
end;
$$;

comment on function normalize_modification() is
    'Fills in the version that a modification is of, and its moments.';

create trigger modifications_50_normalize
    before insert or update on modifications
    for each row
    execute function normalize_modification();

create trigger modifications_51_touch_updated_at
    before update on modifications
    for each row
    execute function touch_updated_at();

-- Becoming applied changes the codebase, by whatever route. A project that changed since the
-- approval is refused: its version is read again once its row is free.
create function apply_modification()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update project_contexts as project
    set
        codebase = (
            project.codebase
            - array(
                select file.key
                from jsonb_each(new.modified_files) as file
                where file.value = 'null'
            )
        )
        || jsonb_strip_nulls(new.modified_files)
    where project.id = new.project_id and project.version = new.base_version;
    if not found then
        raise exception using
            errcode = 'TD006',
            message = 'the project changed since the modification was approved',
            detail = format('TD006 version %s', new.base_version),
            hint = 'Read the project again, and request the modification again.';
    end if;
    return null;
end;
$$;

comment on function apply_modification() is
    'Changes the files of the project, unless it changed since.';

create trigger modifications_90_apply
    after update of status on modifications
    for each row
    when (old.status <> new.status and new.status = 'applied')
    execute function apply_modification();

-- A new modification is pending.
create function refuse_decided_modification()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD001',
        message = format('a modification begins as pending, not %s', new.status),
        detail = format('TD001 -> %s', new.status),
        hint = 'Insert it as pending, then approve it.';
end;
$$;

comment on function refuse_decided_modification() is
    'Refuses a new modification that is not pending.';

create trigger modifications_10_refuse_decided
    before insert on modifications
    for each row
    when (new.status <> 'pending')
    execute function refuse_decided_modification();

create trigger templates_50_touch_updated_at
    before update on templates
    for each row
    execute function touch_updated_at();

create trigger epics_50_touch_updated_at
    before update on epics
    for each row
    execute function touch_updated_at();

-- A feature's key begins with its epic's.
create function refuse_foreign_feature_key()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    epic_key text;
begin
    select epics.key into epic_key from epics where epics.id = new.epic_id;
    if split_part(new.key, '-', 1) <> epic_key then
        raise exception using
            errcode = 'TD005',
            message = format('feature %s belongs to epic %s', new.key, epic_key),
            detail = 'TD005 key: must be the key of its epic, a hyphen, F and a number',
            hint = format('Name it %s-F01 or so.', epic_key);
    end if;
    return new;
end;
$$;

comment on function refuse_foreign_feature_key() is
    'Refuses a feature whose key does not begin with its epic''s.';

create trigger features_10_refuse_foreign_key
    before insert or update of key, epic_id on features
    for each row
    execute function refuse_foreign_feature_key();

create trigger features_50_touch_updated_at
    before update on features
    for each row
    execute function touch_updated_at();

create trigger subtasks_50_touch_updated_at
    before update on subtasks
    for each row
    execute function touch_updated_at();

create trigger task_files_50_touch_updated_at
    before update on task_files
    for each row
    execute function touch_updated_at();

create function count_transition_removal()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform nextval('task_status_transition_removals');
    return null;
end;
$$;

comment on function count_transition_removal() is
    'Notes that a transition was forbidden, so that all are looked up from now on.';

create trigger task_status_transitions_90_count_removal
    after update or delete or truncate on task_status_transitions
    for each statement
    execute function count_transition_removal();

-- Analyzes tables whose files have grown to eight times what their statistics say; and those that
-- these wrongly call all but empty, once twice as many rows have been added.
--
-- A session keeps a plan that it made when the table had a page or two: to read all of it, for each
-- row that a statement changes, and for each check of a foreign key. Nobody can set how such a
-- check is planned; new statistics make PostgreSQL plan again. Autovacuum does the same a minute
-- after rows were committed: too late for a transaction of many statements, or of a single load.
--
-- Statistics are wrong after a load that was rolled back, or after everything was deleted, until
-- the table was vacuumed. Without rows all indexes cost the planner the same, and it may read the
-- whole of one to find a row by the last of its columns. For a hundred thousand rows that is hours,
-- and neither a setting nor another way to write the look-up prevents it. ANALYZE counts the
-- transaction's own rows too. A table that was never analyzed is planned with care already.
--
-- Other ANALYZE commands wait for this transaction then. Where one is at it this does not wait, and
-- the next statement looks again.
create function analyze_grown(tables oid[], added bigint)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set client_min_messages = error
as $$
declare
    stale regclass;
begin
    for stale in
        select known.oid
        from pg_class as known
        where
            known.oid = any(tables)
            and known.reltuples >= 0
            and (
                pg_relation_size(known.oid) / current_setting('block_size')::int
                > 8 * (known.relpages + 1)
                or known.reltuples < least(known.relpages, added / 2)
            )
        order by known.oid
    loop
        execute format('analyze (skip_locked) %s', stale);
    end loop;
end;
$$;

comment on function analyze_grown(oid[], bigint) is
    'Analyzes tables that have grown a lot since their statistics were made.';

-- The same for the table of a trigger and those that the trigger names, each time that the
-- transaction has added 64 more rows: fewer are found by any plan, and pay for no look. Rows that
-- the session has added in the second before may be counted as well.
create function refresh_statistics()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    added_so_far constant bigint := pg_stat_get_xact_tuples_inserted(tg_relid);
    size bigint;
begin
    if added_so_far >= 64 then
        select count(*) into size from added;
        if added_so_far / 64 > (added_so_far - size) / 64 then
            perform analyze_grown(tg_relid || tg_argv::regclass[]::oid[], added_so_far);
        end if;
    end if;
    return null;
end;
$$;

comment on function refresh_statistics() is
    'Analyzes a table that grows, once a transaction has added many rows to it.';

create trigger tasks_70_refresh_statistics
    after insert on tasks
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger task_dependencies_70_refresh_statistics
    after insert on task_dependencies
    referencing new table as added
    for each statement
    execute function refresh_statistics();

-- The channel on which wake announces the types of tasks that became ready in this workspace. Two
-- workspaces whose long names begin alike share one: then each wakes the other's for nothing.
create function ready_channel()
    returns text
    language sql
    stable
    set search_path from current
as $$
    select left('taskdb.' || current_schema(), 63)
$$;

comment on function ready_channel() is
    'The channel of the notifications that tasks of this workspace became ready.';

-- The key of the advisory lock that every worker holds, shared, while it waits for a kind of task:
-- an agent type, '*' (workers of no type) or '' (all of them). A lock ends with its session, so a
-- worker that died never counts as waiting.
create function waiting_key(kind text)
    returns bigint
    language sql
    stable
    set search_path from current
as $$
    select hashtextextended(format('taskdb %s: waits for %s', current_schema(), kind), 0)
$$;

comment on function waiting_key(text) is
    'The advisory lock of workers that wait for tasks of an agent type in this workspace.';

-- A task has become ready in this transaction, for agents of a type ('': of any). The types are
-- noted in a setting of the transaction, where awaited_types finds them, and a client that asked
-- for it (taskdb.report_ready) gets a notice, once, in the answer to its statement. So a client
-- knows without a question whether its commit has anybody to wake.
create function note_ready(for_type text)
    returns void
    language plpgsql
    set search_path from current
as $$
declare
    noted constant text[] := coalesce(
        nullif(current_setting('taskdb.ready_types', true), ''), '{}'
    );
begin
    if for_type = any(noted) or '' = any(noted) then
        return;
    end if;
    -- A crowd of types is anybody: a notification holds 8,000 bytes.
    perform set_config(
        'taskdb.ready_types',
        case when cardinality(noted) < 20 then (noted || for_type)::text else '{""}' end,
        true
    );
    if noted = '{}' and current_setting('taskdb.report_ready', true) = 'on' then
        raise notice using message = 'a task is ready', errcode = 'TD100';
    end if;
end;
$$;

comment on function note_ready(text) is
    'Notes that a task became ready in this transaction, and reports it to the client once.';

-- The advisory lock under which the first slots of a concurrency key are made.
create function lock_of_key(of_key text)
    returns bigint
    language sql
    stable
    set search_path from current
as $$
    select hashtextextended(current_schema() || '.concurrency_slots.' || of_key, 0);
$$;

comment on function lock_of_key(text) is
    'The advisory lock under which the first slots of a concurrency key are made.';

-- Takes a free slot of a concurrency key for a task, and says whether it has one. Who calls it has
-- the task's row locked. It never waits: a slot that another transaction is changing is taken. A
-- slot is offered before it is taken (functions/offer_slots.sql).
--
-- It takes the first free one: that is also the one that the claim has just offered, and locked.
-- A transaction that has changed many slots searches from a random one on: from the first it would
-- read the entries of all that it has taken, for each further task again.
create function take_slot(for_task uuid, of_key text)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
as $$
declare
    found_slot int;
    moved_task uuid;
    from_slot int := 1;
begin
    if exists (
        select from concurrency_slots as own where own.task_id = for_task and own.key = of_key
    ) then
        return true;
    end if;
    loop
        if pg_stat_get_xact_tuples_updated('concurrency_slots'::regclass) > 40 then
            select ceil(random() * last.slot) into from_slot
            from concurrency_slots as last
            where last.key = of_key
            order by last.slot desc
            limit 1;
        end if;
        foreach from_slot in array array[from_slot] || array_remove(array[1], from_slot) loop
            select free.slot into found_slot
            from concurrency_slots as free
            where
                free.key = of_key
                and free.task_id is null
                and not free.is_surplus
                and not free.is_unseen
                and free.slot >= from_slot
            order by free.slot
            limit 1
            for no key update skip locked;
            exit when found;
            select free.slot into found_slot
            from concurrency_slots as free
            where
                free.key = of_key
                and free.task_id is null
                and not free.is_surplus
                and free.is_unseen
                and free.slot >= from_slot
            order by free.slot
            limit 1
            for update skip locked;
            if found then
                perform offer_to_tasks(of_key, 1);
                exit;
            end if;
        end loop;
        if found_slot is null then
            if
                exists (select from concurrency_slots as any_slot where any_slot.key = of_key)
                -- The first slot of a key is made without keeping another session waiting.
                or not pg_try_advisory_xact_lock(lock_of_key(of_key))
            then
                return false;
            end if;
            insert into concurrency_slots (key, slot, task_id)
            values (of_key, 1, for_task)
            on conflict do nothing;
            return found;
        end if;

        if not exists (
            select from concurrency_slots as surplus
            where surplus.key = of_key and surplus.is_surplus
        ) then
            update concurrency_slots as free
            set task_id = for_task, is_unseen = true
            where free.key = of_key and free.slot = found_slot;
            return true;
        end if;
        -- The limit was lowered: whoever holds a surplus slot moves into this one first.
        delete from concurrency_slots as surplus
        where
            surplus.key = of_key
            and surplus.slot = (
                select other.slot
                from concurrency_slots as other
                where other.key = of_key and other.is_surplus
                limit 1
                for update skip locked
            )
        returning surplus.task_id into moved_task;
        if not found then
            return false;
        end if;
        update concurrency_slots as free
        set task_id = moved_task, is_unseen = true
        where free.key = of_key and free.slot = found_slot;
    end loop;
end;
$$;

comment on function take_slot(uuid, text) is
    'Takes a free slot of a concurrency key for a task that goes into progress.';

-- Gives the slot of a task back. While the limit is lowered the task moves to another row: then the
-- first look finds the old row, deleted.
create function give_slot_back(of_task uuid)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    loop
        update concurrency_slots as slot
        set task_id = null, is_unseen = true
        where slot.task_id = of_task;
        exit when found
            or not exists (select from concurrency_slots as slot where slot.task_id = of_task);
    end loop;
    -- The agents that were passed over for this slot can be of any type.
    perform note_ready('');
end;
$$;

comment on function give_slot_back(uuid) is 'Gives the slot of a task back, if it has one.';

-- The tasks of a key are in another order, or one of them is gone: the next claim looks which of
-- them its free slots are for.
create function look_at_slots_again(of_key text)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update concurrency_slots as slot
    set is_unseen = true
    where slot.key = of_key and slot.task_id is null and not slot.is_unseen;
    if found then
        perform note_ready('');
    end if;
end;
$$;

comment on function look_at_slots_again(text) is
    'Has the next claim offer the free slots of a key again.';

-- Refuses to start a task, as its concurrency key has no free slot.
create function raise_full_key(task_key text, of_key text)
    returns void
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD007',
        message = format(
            'task %s cannot be in progress now: the concurrency key %s is held by %s',
            task_key,
            of_key,
            coalesce(
                (
                    select string_agg(task.key, ', ' order by task.key)
                    from concurrency_slots as slot
                    inner join tasks as task on task.id = slot.task_id
                    where slot.key = of_key
                ),
                'another transaction'
            )
        ),
        detail = 'TD007 concurrency_key: must have a free slot',
        hint = 'Wait until one of them is done, or raise the limit of the key.';
end;
$$;

comment on function raise_full_key(text, text) is 'Raises TD007 with the key and its holders.';

-- Tasks whose concurrency key has no free slot are set aside, out of the index of ready tasks, so
-- that no claim reads a crowd of them. A slot that is given back is offered to the first of them,
-- in each lane: that one is in line again. Claims do both; whoever gives a slot back only marks
-- it.
--
-- A slot is taken once it was offered, so in each lane with waiting tasks there are at least as
-- many in line as there are free slots that were offered. Whatever leaves the line or changes its
-- order otherwise marks the free slots of its key again (look_at_slots_again).
--
-- No task may stay aside while a slot is free that no claim will look at again. Setting aside
-- reads that all slots are taken, and holds a KEY SHARE lock on each until it commits: that delays
-- nobody who gives one back. Offering takes the free slot FOR UPDATE, which such a lock refuses,
-- so it passes over a key where tasks are being set aside, and leaves the slot marked for the next
-- claim; and what it reads afterwards, by a statement of its own, is complete. Above READ
-- COMMITTED there is no newer snapshot: nothing is set aside there, and no mark cleared.

-- Sets tasks of a key aside, if it has no free slot: those among the next ready tasks behind this
-- one, it included.
create function set_aside(of_key text, from_task uuid)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
as $$
declare
    are_locked boolean;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        return;
    end if;
    with locked as (
        select slot.slot
        from concurrency_slots as slot
        where slot.key = of_key
        for key share skip locked
    )

    -- A key without slots is about to have one, or the transaction that makes it fails.
    select
        (select count(*) from locked)
        = (select nullif(count(*), 0) from concurrency_slots as slot where slot.key = of_key)
    into are_locked;
    if
        are_locked is not true
        or exists (
            select from concurrency_slots as slot
            where slot.key = of_key and slot.task_id is null and not slot.is_surplus
        )
    then
        return;
    end if;

    update tasks as task
    set waits_for_slot = true
    from (
        select other.id
        from tasks as met
        cross join lateral (
            select following.id, following.concurrency_key
            from tasks as following
            where
                following.is_ready
                and following.status = 'pending'
                and (
                    following.effective_priority, following.place, following.created_at,
                    following.id
                )
                >= (met.effective_priority, met.place, met.created_at, met.id)
            order by
                following.effective_priority, following.place, following.created_at, following.id
            limit 200
        ) as near
        cross join lateral (
            select task.id
            from tasks as task
            where task.id = near.id and task.is_ready is not false
            for no key update skip locked
        ) as other
        where met.id = from_task and near.concurrency_key = of_key
    ) as crowd
    where task.id = crowd.id and task.is_ready is not false;
end;
$$;

comment on function set_aside(text, uuid) is
    'Takes tasks out of line whose concurrency key has no free slot: the next in line.';

-- Puts tasks in line for free slots of their key, which are locked FOR UPDATE: the first *how_many*
-- of each lane. False if another transaction has one of them, or one has files, which can be locked
-- when it is met: then the slots stay marked, and the next claim puts others in line as well.
create function offer_to_tasks(of_key text, how_many int)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
as $$
declare
    are_offered boolean;
begin
    with recursive lane as (
        (
            select task.reserved_for, task.for_type
            from tasks as task
            where task.concurrency_key = of_key and task.waits_for_slot
            order by task.reserved_for, task.for_type
            limit 1
        )
        union all
        select following.reserved_for, following.for_type
        from lane
        cross join lateral (
            select task.reserved_for, task.for_type
            from tasks as task
            where
                task.concurrency_key = of_key
                and task.waits_for_slot
                and (task.reserved_for, task.for_type) > (lane.reserved_for, lane.for_type)
            order by task.reserved_for, task.for_type
            limit 1
        ) as following
    ),

    first_in_line as (
        select task.id
        from lane
        cross join lateral (
            select other.id
            from tasks as other
            where
                other.concurrency_key = of_key
                and other.waits_for_slot
                and other.reserved_for = lane.reserved_for
                and other.for_type = lane.for_type
            order by other.effective_priority, other.place, other.created_at, other.id
            limit how_many
        ) as task
    ),

    locked as (
        select task.id
        from tasks as task
        where task.id in (select waiting.id from first_in_line as waiting)
        for no key update skip locked
    ),

    offered as (
        update tasks as task
        set waits_for_slot = false
        from locked
        where task.id = locked.id and task.waits_for_slot
        returning task.has_files
    )

    select
        (select count(*) from first_in_line)
        = (select count(*) from offered where not offered.has_files)
    into are_offered;
    return are_offered;
end;
$$;

comment on function offer_to_tasks(text, int) is
    'Puts the first waiting tasks of each lane in line for free slots of their concurrency key.';

-- Offers up to so many free slots that no claim has offered yet, each to one task of a lane or to
-- *tasks_per_lane*. They are sorted once they are locked: claims are planned without sorts, at a
-- price for which 15 would compile the statement.
create function offer_slots(at_most int, tasks_per_lane int default 1)
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = on
as $$
declare
    free record;
begin
    for free in
        select unseen.key, array_agg(unseen.slot) as slots
        from (
            select slot.key, slot.slot
            from concurrency_slots as slot
            where slot.task_id is null and slot.is_unseen
            order by slot.key, slot.slot
            limit at_most
            for update skip locked
        ) as unseen
        group by unseen.key
        order by unseen.key
    loop
        if
            offer_to_tasks(free.key, greatest(cardinality(free.slots), tasks_per_lane))
            and current_setting('transaction_isolation') = 'read committed'
        then
            update concurrency_slots as slot
            set is_unseen = false
            where slot.key = free.key and slot.slot = any(free.slots);
        end if;
    end loop;
end;
$$;

comment on function offer_slots(int, int) is
    'Offers free slots of concurrency keys to the tasks that wait for them, up to a number.';

-- Takes what a task needs besides its row: a slot of its concurrency key and its files. True: it
-- has them; false: a file is locked by another task; null: its key has no free slot.
create function take_needs(of_task uuid, of_key text, has_files boolean)
    returns boolean
    language plpgsql
    set search_path from current
as $$
begin
    if of_key is not null and not take_slot(of_task, of_key) then
        return null;
    end if;
    if has_files and not try_files(of_task) then
        if of_key is not null then
            perform give_slot_back(of_task);
        end if;
        return false;
    end if;
    return true;
end;
$$;

comment on function take_needs(uuid, text, boolean) is
    'Takes the slot and the files of a task that goes into progress, both or none.';

-- Sets how many tasks of a concurrency key can be in progress at a time. Every slot is written, so
-- that a claim with an older snapshot meets the change. Lowering it revokes no claim: as long as
-- more are in progress than the new limit allows, none begins.
--
-- A set of endings gives slots back in the order of its tasks. So this waits for a slot with others
-- locked for a moment only, and lets all of them go; waits until each one has been free, with none
-- of the others locked, and begins again. That second wait lasts as long as it must: the server
-- finds a deadlock, by rows that its transaction locked before, from a wait that lasts.
create function set_concurrency_limit(of_key text, new_limit int)
    returns table (key text, at_most bigint, running bigint)
    language plpgsql
    rows 1
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    lock_timeout constant text := current_setting('lock_timeout');
    number int;
begin
    if new_limit is null or new_limit not between 1 and 1000 then
        perform raise_refusal('at_most', 'must be between 1 and 1000');
    end if;
    if not exists (select from concurrency_slots as slot where slot.key = of_key) then
        -- A claim that needs the first slot goes on to other tasks, until this commits. Whoever has
        -- the lock is not waited for: it may be anybody, and a claim's slot is waited for below.
        perform pg_try_advisory_xact_lock(lock_of_key(of_key));
    end if;
    loop
        begin
            perform set_config('lock_timeout', '50ms', true);
            perform
            from concurrency_slots as slot
            where slot.key = of_key
            order by slot.slot
            for update;
            perform set_config('lock_timeout', lock_timeout, true);
            exit;
        exception
            when lock_not_available then
                null;
        end;
        for number in
            select slot.slot from concurrency_slots as slot where slot.key = of_key
        loop
            begin
                perform
                from concurrency_slots as slot
                where slot.key = of_key and slot.slot = number
                for update;
                raise sqlstate 'TD000';
            exception
                when sqlstate 'TD000' then
                    null;  -- The lock is gone with what raised this.
            end;
        end loop;
    end loop;
    insert into concurrency_slots (key, slot)
    select of_key, number.slot
    from generate_series(1, new_limit) as number (slot)
    on conflict do nothing;
    delete from concurrency_slots as slot
    where slot.key = of_key and slot.task_id is null and slot.slot > new_limit;
    update concurrency_slots as slot
    set is_surplus = slot.slot > new_limit, is_unseen = true
    where slot.key = of_key;
    perform note_ready('');
    return query
    select used.key::text, used.at_most, used.running
    from concurrency_keys as used
    where used.key = of_key;
end;
$$;

comment on function set_concurrency_limit(text, int) is
    'Sets how many tasks of a concurrency key can be in progress at a time.';

-- Returns the agent types of the tasks that this transaction made ready, as a JSON array ("" is
-- every type), if a worker waits for such a task; else null. The client calls it with its commit,
-- and sends them in one NOTIFY (queries/events.sql: wake); never a trigger, because triggers run on
-- other nodes. With *everyone*, tasks made ready do not matter.
--
-- A worker waits if its shared lock cannot be acquired. The lock is released in the same
-- expression; a second client that tries at this very moment wakes a worker for nothing.
--
-- NOTIFY makes commits queue one behind another, hence only where it is of use. A commit fails when
-- the queue of notifications is full, so from half full on it returns null: polling finds the task.
create function awaited_types(everyone boolean)
    returns text
    language plpgsql
    set search_path from current
as $$
declare
    types text[] := case
        when everyone then '{""}'
        else coalesce(nullif(current_setting('taskdb.ready_types', true), ''), '{}')
    end;
begin
    if
        types <> '{}'
        and exists (
            select
            from unnest(case when '' = any(types) then '{""}' else types || '*'::text end)
                as awaited (kind)
            where
                case
                    when pg_try_advisory_lock(waiting_key(awaited.kind))
                        then not pg_advisory_unlock(waiting_key(awaited.kind))
                    else true
                end
        )
        and pg_notification_queue_usage() < 0.5
    then
        return case when octet_length(types::text) < 7000 then to_json(types)::text else '[""]' end;
    end if;
    return null;
end;
$$;

comment on function awaited_types(boolean) is
    'The types of tasks that this transaction made ready, if a worker waits for them.';

-- From now on this session is woken when a task becomes ready for agents of a type, or, without
-- one, of any type: it listens, and holds the locks by which awaited_types finds waiting workers.
-- It also listens to itself, for prove_waiting. False if a lock was being tried at this moment:
-- then nothing wakes it until it calls again.
--
-- A waiting worker searches once more after this, and again a moment later: a client that checked
-- for waiting workers before, and commits after that search, has woken nobody.
create function start_waiting(for_type text)
    returns boolean
    language plpgsql
    set search_path from current
as $$
begin
    execute format('listen %I', ready_channel());
    execute format('listen %I', 'taskdb.proof.' || pg_backend_pid());
    perform pg_advisory_unlock_all();
    return (
        select bool_and(pg_try_advisory_lock_shared(waiting_key(awaited.kind)))
        from unnest(array['', coalesce(for_type, '*')]) as awaited (kind)
    );
end;
$$;

comment on function start_waiting(text) is
    'Listens, and lets awaited_types know that this session waits for tasks of a type.';

-- From now on this session is not woken, costs others nothing, and has no notification kept for it.
-- Returns whether it was waiting until now.
create function stop_waiting()
    returns boolean
    language plpgsql
    set search_path from current
as $$
declare
    was_waiting constant boolean := exists (select from pg_listening_channels());
begin
    execute 'unlisten *';
    perform pg_advisory_unlock_all();
    return was_waiting;
end;
$$;

comment on function stop_waiting() is 'Ends what start_waiting began.';

-- A key for a task without one, which no task has.
create function next_task_key()
    returns text
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    found_key text;
begin
    loop
        found_key := 'T-' || nextval('task_number');
        exit when not exists (select from tasks as task where task.key = found_key);
    end loop;
    return found_key;
end;
$$;

comment on function next_task_key() is 'A free key: T- and a number.';

-- Fills in a new task: a key and times if it has none (COPY cannot leave a column out), the
-- machinery's columns, and those that follow from its status. A task created in progress was
-- started by hand, or by the claim that comes with it: an importer's, whose lease may be over.
create function fill_in_task()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    moment timestamptz := clock_timestamp();
    -- The domain refuses moments that no program can hold. The columns themselves are written by
    -- every transition, so they do without it.
    first_moment constant shared.moment := least(
        new.created_at, new.updated_at, new.started_at, new.blocked_at, new.completed_at
    );
    last_moment constant shared.moment := greatest(
        new.created_at, new.updated_at, new.started_at, new.blocked_at, new.completed_at
    );
begin
    if new.key is null then
        new.key := next_task_key();
    end if;
    new.created_at := coalesce(new.created_at, now());
    new.updated_at := coalesce(new.updated_at, new.created_at);

    if is_precomputed(new.details_follow, new.open_dependencies, new.has_dependents) then
        new.effective_priority := least(new.effective_priority, new.priority);
        if new.status = 'pending' and new.open_dependencies > 0 then
            new.status := 'blocked';
        end if;
    else
        new.effective_priority := new.priority;
        new.open_dependencies := 0;
        new.has_dependents := false;
    end if;
    new.is_passed_on := new.has_dependents;
    new.unhealthy_dependencies := 0;
    new.has_files := false;
    new.version := 1;
    new.status_seq := 1;
    new.claim_request_id := null;
    if new.status = 'in_progress' and new.claim_agent is not null then
        new.claim_token := 1;
        new.lease_expires_at := coalesce(new.lease_expires_at, now());
    else
        new.claim_token := 0;
        new.claim_agent := null;
        new.lease_expires_at := null;
    end if;
    new.progress_pct := null;
    new.progress_note := null;
    new.is_due := new.scheduled_at is null or new.scheduled_at <= moment;
    new.workflow_is_healthy := true;
    if new.workflow_id is not null then
        new.workflow_is_healthy := health_of_workflow(new.workflow_id);
    end if;

    if
        new.status = 'blocked' and new.blocked_reason is null and new.open_dependencies = 0
    then
        new.status := 'pending';
    elsif new.status <> 'blocked' and new.blocked_reason is not null then
        perform raise_broken_rule(
            'tasks_reason_only_while_blocked',
            format('task %s is %s: only a blocked task has a reason', new.key, new.status)
        );
    end if;
    new.reserved_for := coalesce(new.assigned_agent, '');
    new.for_type := coalesce(new.agent_type, '');
    new.place := coalesce(new.execution_order, 2147483647);
    new.is_ready :=
        new.status = 'pending' and new.is_due and new.workflow_is_healthy and not new.is_paused;
    -- The first question of note_ready, because a load asks it for each of its tasks.
    if
        new.is_ready
        and (new.for_type = any(nullif(current_setting('taskdb.ready_types', true), '')::text[]))
        is not true
    then
        perform note_ready(new.for_type);
    end if;
    new.waits_for_slot := false;
    if new.status = 'in_progress' then
        if new.concurrency_key is not null then
            perform raise_broken_rule(
                'tasks_begin_with_their_slot',
                format('task %s has a concurrency key: it begins after it is made', new.key)
            );
        end if;
        new.started_at := coalesce(new.started_at, moment);
    end if;
    new.blocked_at := case when new.status = 'blocked' then coalesce(new.blocked_at, moment) end;
    if new.status = 'completed' then
        new.completed_at := coalesce(new.completed_at, moment);
    elsif new.status <> 'archived' and new.completed_at is not null then
        perform raise_broken_rule(
            'tasks_completed_at_from_completion_on',
            format('task %s is %s: it has no completed_at yet', new.key, new.status)
        );
    end if;

    new.status_agent := null;
    new.status_note := null;
    new.status_forced := null;
    new.status_outcome := null;
    new.status_ending := null;
    new.status_source := null;
    new.status_at := null;
    return new;
end;
$$;

comment on function fill_in_task() is 'Fills in the key, times and derived columns of a new task.';

create trigger tasks_50_fill_in
    before insert on tasks
    for each row
    execute function fill_in_task();

-- One trigger for every change of a task: it derives, refuses, begins or ends a claim, and records.
-- One, because each trigger more costs every claim; the row is locked while it runs, so the numbers
-- of history have no gaps. And few expressions on the path of claims and completions, because
-- PL/pgSQL prepares each of them again in every transaction: what is rare stands behind one
-- condition.
--
-- No statement, by whatever route, can write a wrong pair:
--   pending with open dependencies is blocked; blocked by nothing is pending
--   a reason only while blocked; lifting the block by hand drops the reason
--   the moments of its status; a reopened task counts its attempts from 0
--   a claim only while in progress, with a lease that ends; its token is the old one plus 1
--   pending after the last of max_attempts has failed
--
-- A transition that an importer found in another tracker has that one's time, as far as it is past
-- and does not precede the claim that it ends.
create function apply_task_change()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    moment timestamptz := clock_timestamp();
    ended shared.claim_outcome;
    token bigint;
    tracker text;
    is_automatic boolean;
    is_rare boolean;
begin
    new.updated_at := greatest(moment, old.updated_at + interval '1 microsecond');
    -- A role that only claims may not set the status: it sets how its claim ends.
    if new.status_ending is not null then
        if
            old.claim_agent is null
            or new.status_ending not in ('completed', 'in_review', 'failed', 'pending')
        then
            perform raise_broken_rule(
                'tasks_ending_of_a_claim',
                format('task %s has no claim that ends as %s', new.key, new.status_ending)
            );
        end if;
        new.status := new.status_ending;
        new.status_ending := null;
    end if;

    -- Anything but a plain claim or completion.
    if
        new.status not in ('in_progress', 'completed')
        or old.status not in ('pending', 'in_progress')
        or (new.status = 'completed' and old.status = 'pending')
        or new.priority <> old.priority
        or new.claim_token <> old.claim_token
        or new.status_seq <> old.status_seq
        or new.is_ready <> old.is_ready
        or new.scheduled_at is not null
        or new.effective_priority > new.priority
        or new.workflow_id is distinct from old.workflow_id
        or new.blocked_reason is not null
        or new.status_source is not null
        or old.progress_pct is not null
        or old.progress_note is not null
    then
        is_rare := true;
        new.claim_token := old.claim_token;
        -- An agent may be called taskdb as well; this column only the owner's functions can write.
        is_automatic := new.status_seq = 0;
        new.status_seq := old.status_seq;
        new.is_due := coalesce(new.scheduled_at <= moment, true);
        -- Lowering is done by pass_on_priority, which knows the dependents.
        new.effective_priority := least(new.effective_priority, new.priority);
        if new.workflow_id is distinct from old.workflow_id then
            new.workflow_is_healthy := health_of_workflow(new.workflow_id);
        end if;
        if new.status_source is not null then
            tracker := new.status_source;
            moment := least(
                moment,
                greatest(
                    case
                        when new.status_at < '0001-01-01 00:00:00+00' then '0001-01-01 00:00:00+00'
                        else new.status_at
                    end,
                    case when old.claim_agent is not null then old.started_at end
                )
            );
        end if;
        new.status_source := null;
        new.status_at := null;

        if old.claim_agent is not null and new.status not in ('in_progress', 'completed') then
            -- The attempt ends, and not with its work done.
            ended := coalesce(nullif(new.status_outcome, 'completed'), 'revoked');
            if ended in ('failed', 'lapsed') then
                new.failed_attempts := old.failed_attempts + 1;
            end if;
        end if;
        if
            old.status in ('completed', 'failed', 'cancelled', 'archived')
            and new.status not in ('completed', 'failed', 'cancelled', 'archived')
        then
            -- Reopened.
            new.failed_attempts := 0;
            new.is_paused := is_task_paused(new.id, new.agent_type);
        end if;
        -- Lifting the block by hand drops the reason.
        if
            old.status = 'blocked'
            and new.status = 'pending'
            and new.blocked_reason is not distinct from old.blocked_reason
        then
            new.blocked_reason := null;
        end if;
        if new.status in ('pending', 'blocked') then
            if new.failed_attempts >= greatest(new.max_attempts, 1) then
                new.status := 'failed';
                new.status_forced := coalesce(new.status_forced, false)
                    or old.status in ('pending', 'blocked');
                new.status_note := coalesce(new.status_note, 'no attempt is left');
                new.error_message := case
                    when ended = 'failed' then new.error_message
                    else new.status_note
                end;
            elsif new.status = 'pending' and new.open_dependencies > 0 then
                new.status := 'blocked';
            elsif
                new.status = 'blocked'
                and new.open_dependencies = 0
                and new.blocked_reason is null
            then
                new.status := 'pending';
            end if;
        end if;
        if new.status <> 'blocked' and new.blocked_reason is not null then
            -- A reason that the statement has just set is refused, not dropped in silence.
            if new.blocked_reason is distinct from old.blocked_reason then
                perform raise_broken_rule(
                    'tasks_reason_only_while_blocked',
                    format('task %s is %s: only a blocked task has a reason', new.key, new.status)
                );
            end if;
            new.blocked_reason := null;
        end if;
        if new.status <> old.status then
            new.blocked_at := case when new.status = 'blocked' then moment end;
            new.completed_at := case when new.status = 'archived' then old.completed_at end;
            if old.status = 'in_progress' then
                new.progress_pct := null;
                new.progress_note := null;
            end if;
        end if;
        new.is_ready :=
            new.status = 'pending'
            and new.is_due
            and new.unhealthy_dependencies = 0
            and new.workflow_is_healthy
            and not new.is_paused;
        if new.concurrency_key is not null or old.concurrency_key is not null then
            if new.waits_for_slot then
                new.waits_for_slot := new.is_ready;
                new.is_ready := false;
            end if;
            if old.is_ready and not new.is_ready and not new.waits_for_slot then
                -- Its place in the line is free.
                perform look_at_slots_again(old.concurrency_key);
            end if;
        end if;
        if new.is_ready and not old.is_ready then
            perform note_ready(new.for_type);
        end if;
        new.is_passed_on :=
            new.has_dependents
            or new.priority <> old.priority
            or new.status in ('blocked', 'cancelled', 'archived')
            or old.status in ('cancelled', 'archived');
    end if;

    if new.status = old.status then
        new.claim_agent := old.claim_agent;
        new.claim_request_id := old.claim_request_id;
        new.status_agent := null;
        new.status_note := null;
        new.status_forced := null;
        new.status_outcome := null;
        return new;
    end if;

    -- From here on it is a transition.
    if new.status = 'in_progress' then
        new.is_ready := false;
        new.started_at := moment;
        if new.lease_expires_at > now() and new.claim_agent is not null then
            token := old.claim_token + 1;
            new.claim_token := token;
        elsif new.claim_agent is null then
            new.lease_expires_at := null;
            new.claim_request_id := null;
        else
            perform raise_broken_rule(
                'tasks_claim_has_a_lease',
                format('the lease of a claim of task %s must end after now', new.key)
            );
        end if;
    else
        if old.claim_agent is not null then
            token := old.claim_token;
            ended := coalesce(
                ended,
                case when new.status_outcome = 'completed' then new.status_outcome else 'revoked' end
            );
            new.claim_agent := null;
            new.lease_expires_at := null;
            new.claim_request_id := null;
        end if;
        if new.status = 'completed' then
            new.completed_at := moment;
        end if;
    end if;
    if
        new.has_files
        or new.concurrency_key is not null
        or old.concurrency_key is not null
        or old.details_follow
    then
        new.waits_for_slot := false;
        if new.concurrency_key is not null and new.status = 'in_progress' then
            if not take_slot(new.id, new.concurrency_key) then
                perform raise_full_key(new.key, new.concurrency_key);
            end if;
        elsif old.concurrency_key is not null and old.status = 'in_progress' then
            perform give_slot_back(new.id);
        end if;
        if new.has_files and new.status = 'in_progress' then
            if not take_files(new.id) then
                perform raise_locked_file(new.id);
            end if;
        elsif new.has_files and old.status = 'in_progress' then
            delete from file_locks as file where file.task_id = new.id;
            -- Agents of any type may have been passed over for these files.
            perform note_ready('');
        end if;
        if old.details_follow and old.status_seq = 1 and new.status <> 'cancelled' then
            -- A task without its second row is still being created: its first history row is
            -- written with that one, with the status of that moment. But that it ended with its
            -- blocker is a transition, or it would not come back with it.
            if not has_details(new.id) then
                new.status_agent := null;
                new.status_note := null;
                new.status_forced := null;
                new.status_outcome := null;
                return new;
            end if;
        end if;
    end if;

    -- A plain claim or completion is allowed as shipped, unless a row was ever taken out.
    if is_rare or pg_sequence_last_value('task_status_transition_removals') is not null then
        perform raise_invalid_transition(new.key, old.status, new.status)
        where
            new.status_forced is not true
            and not exists (
                select from task_status_transitions as allowed
                where allowed.old_status = old.status and allowed.new_status = new.status
            );
    end if;
    new.status_seq := old.status_seq + 1;
    insert into task_history (
        task_id, seq, old_status, new_status, forced, automatic, outcome, token, created_at,
        agent, note, progress_pct, progress_note, source
    )
    values (
        new.id,
        new.status_seq,
        old.status,
        new.status,
        coalesce(new.status_forced, false),
        coalesce(is_automatic, false),
        ended,
        token,
        moment,
        coalesce(new.status_agent, new.claim_agent, session_user),
        new.status_note,
        old.progress_pct,
        old.progress_note,
        tracker
    );
    new.status_agent := null;
    new.status_note := null;
    new.status_forced := null;
    new.status_outcome := null;
    return new;
end;
$$;

comment on function apply_task_change() is
    'Derives, refuses and records a change of a task; begins and ends its claim.';

-- Every column but those of a heartbeat (lease_expires_at, progress_pct, progress_note), which is
-- no change of the task, and those that follow from other tasks alone (effective_priority,
-- graph_rank, has_dependents, is_passed_on). A column list costs nothing where a WHEN clause is
-- parsed again by each statement.
create trigger tasks_50_apply_change
    before update of
    id, key, title, status, priority, execution_order, agent_type,
    assigned_agent, workflow_id, workflow_execution_id, scheduled_at, blocked_reason,
    error_message, open_dependencies, unhealthy_dependencies, max_attempts, failed_attempts,
    version, status_seq, workflow_is_healthy, is_due, is_paused, has_files,
    concurrency_key, waits_for_slot,
    is_ready, claim_token, claim_agent, claim_request_id, started_at, blocked_at,
    completed_at, created_at, updated_at, status_agent, status_note, status_forced,
    status_outcome, status_ending, status_source, status_at, details_follow
    on tasks
    for each row
    execute function apply_task_change();

-- Normalizes and counts an edit of a task's text or plan, so that an editor can detect a concurrent
-- one (queries/tasks.sql: update, :if_version).
create function count_edit_of_task()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    -- The schedule of a retry comes with a transition, which is no edit; but an edit can bring a
    -- transition about: max_attempts, lowered to the attempts that have failed.
    if
        new.status_seq = old.status_seq
        or (
            new.title, new.priority, new.execution_order, new.agent_type, new.assigned_agent,
            new.workflow_id, new.workflow_execution_id, new.max_attempts, new.concurrency_key
        ) is distinct from (
            old.title, old.priority, old.execution_order, old.agent_type, old.assigned_agent,
            old.workflow_id, old.workflow_execution_id, old.max_attempts, old.concurrency_key
        )
    then
        new.version := old.version + 1;
    end if;
    new.reserved_for := coalesce(new.assigned_agent, '');
    new.for_type := coalesce(new.agent_type, '');
    new.place := coalesce(new.execution_order, 2147483647);
    if new.agent_type is distinct from old.agent_type and any_pauses() then
        new.is_paused := is_task_paused(new.id, new.agent_type);
        new.is_ready :=
            new.status = 'pending'
            and new.is_due
            and new.unhealthy_dependencies = 0
            and new.workflow_is_healthy
            and not new.is_paused;
        if new.waits_for_slot then
            new.waits_for_slot := new.is_ready;
            new.is_ready := false;
        end if;
    end if;
    if new.concurrency_key is not null or old.concurrency_key is not null then
        perform look_at_slots_again(old.concurrency_key);
        if new.concurrency_key is distinct from old.concurrency_key then
            new.is_ready := new.is_ready or new.waits_for_slot;
            new.waits_for_slot := false;
            if old.status = 'in_progress' and new.status = 'in_progress' then
                perform give_slot_back(new.id);
                if
                    new.concurrency_key is not null
                    and not take_slot(new.id, new.concurrency_key)
                then
                    perform raise_full_key(new.key, new.concurrency_key);
                end if;
            end if;
        end if;
    end if;
    if
        new.is_ready
        and (new.reserved_for, new.for_type) is distinct from (old.reserved_for, old.for_type)
    then
        perform note_ready(new.for_type);
    end if;
    return new;
end;
$$;

comment on function count_edit_of_task() is
    'Counts an edit of a task, and derives the lane and place of its claim.';

create trigger tasks_51_count_edit
    before update of
    title, priority, execution_order, agent_type, assigned_agent, workflow_id,
    workflow_execution_id, scheduled_at, max_attempts, reserved_for, for_type, place,
    concurrency_key
    on tasks
    for each row
    execute function count_edit_of_task();

-- Adds the row of task_details for those of these tasks that have none. Rows are looked up one by
-- one (lateral with offset 0): as a join, a plan made when few tasks were there reads all of them.
create function add_details_of(ids uuid[])
    returns void
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    insert into task_details (
        task_id, priority, agent_type, assigned_agent, created_at, updated_at
    )
    with task as (
        select
            other.id,
            other.priority,
            other.agent_type,
            other.assigned_agent,
            other.created_at,
            other.updated_at
        from unnest(ids) as given (id)
        cross join lateral (
            select
                found.id,
                found.priority,
                found.agent_type,
                found.assigned_agent,
                found.created_at,
                found.updated_at
            from tasks as found
            where found.id = given.id
            offset 0
        ) as other
        left join lateral (
            select true as is_there
            from task_details as found
            where found.task_id = given.id
            offset 0
        ) as own
            on true
        where own.is_there is null
    )

    select
        task.id,
        task.priority,
        task.agent_type,
        task.assigned_agent,
        task.created_at,
        task.updated_at
    from task;
end;
$$;

comment on function add_details_of(uuid[]) is 'Adds the missing rows of task_details.';

-- Adds the row of task_details for each new task whose statement did not announce it.
create function add_details()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    ids uuid[];
begin
    select array_agg(created.id) into ids from created where created.details_follow is not true;
    perform add_details_of(ids) where ids is not null;
    return null;
end;
$$;

comment on function add_details() is 'Adds the row of task_details of new tasks.';

create trigger tasks_90_add_details
    after insert on tasks
    referencing new table as created
    for each statement
    execute function add_details();

-- A deleted task of a concurrency key may have been the one that was offered its slot. One in
-- progress gave its slot or its files back, which agents of any type may wait for.
create function leave_slots()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform look_at_slots_again(left_behind.concurrency_key)
    from (
        select distinct removed.concurrency_key
        from removed
        where removed.concurrency_key is not null
    ) as left_behind;
    if
        exists (
            select from removed
            where
                removed.status = 'in_progress'
                and (removed.concurrency_key is not null or removed.has_files)
        )
    then
        perform note_ready('');
    end if;
    return null;
end;
$$;

comment on function leave_slots() is
    'Has the free slots of deleted tasks'' concurrency keys offered again.';

create trigger tasks_90_leave_slots
    after delete on tasks
    referencing old table as removed
    for each statement
    execute function leave_slots();

-- Passes a change of a task on: to its dependents, when it begins or ceases to satisfy their
-- dependencies; and to its blockers, when its priority changes or it is abandoned. A bound task
-- that comes back from progress to wait ends, if its blocker has. The trigger runs where
-- apply_task_change says that others can be concerned.
create function pass_on_task_change()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    if new.status = 'blocked' and old.status in ('in_progress', 'in_review') then
        perform end_with_blocker(new.id);
    end if;
    if
        is_satisfied('requires', old.status, old.completed_at)
        <> is_satisfied('requires', new.status, new.completed_at)
        or is_satisfied('blocks', old.status, old.completed_at)
        <> is_satisfied('blocks', new.status, new.completed_at)
        or (old.status = 'failed') <> (new.status = 'failed')
    then
        perform unblock_dependents(new.id);
    end if;
    if
        old.priority <> new.priority
        or is_active(old.status, old.completed_at) <> is_active(new.status, new.completed_at)
    then
        perform pass_on_priority(
            new.id, old.priority, new.priority, is_active(old.status, old.completed_at)
        );
    end if;
    return null;
end;
$$;

comment on function pass_on_task_change() is
    'Passes a change of a task on to its dependents and its blockers.';

-- A statement that names none of these columns changes no status but between pending and blocked.
-- The condition is one column: each statement parses it again.
create trigger tasks_90_pass_on
    after update of
    status, status_ending, completed_at, priority, max_attempts, failed_attempts
    on tasks
    for each row
    when (new.is_passed_on)
    execute function pass_on_task_change();

-- Another effective priority is another place in the line for the slots of a concurrency key.
-- Claims and endings name no such column, so this does not run for them.
create function change_turn()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    if new.concurrency_key is not null then
        perform look_at_slots_again(new.concurrency_key);
    end if;
    return null;
end;
$$;

comment on function change_turn() is
    'Has the free slots of a task''s concurrency key offered again when its priority changes.';

create trigger tasks_91_change_turn
    after update of effective_priority on tasks
    for each row
    execute function change_turn();

-- Keeps the copies in task_details that its indexes need.
create function copy_to_details()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update task_details as details
    set
        priority = new.priority,
        agent_type = new.agent_type,
        assigned_agent = new.assigned_agent,
        created_at = new.created_at
    where
        details.task_id = new.id
        and (details.priority, details.agent_type, details.assigned_agent, details.created_at)
        is distinct from (new.priority, new.agent_type, new.assigned_agent, new.created_at);
    return null;
end;
$$;

comment on function copy_to_details() is 'Keeps the copies in task_details.';

create trigger tasks_91_copy_to_details
    after update of priority, agent_type, assigned_agent, created_at on tasks
    for each row
    execute function copy_to_details();

-- Updates task_search with the words of tasks whose title or description changes. New ones are in
-- task_details_90_record_creation.sql.
create function index_title()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.title <> new.title then
        update task_search as text
        set
            title = new.title,
            document = task_document(new.title, details.description)
        from task_details as details
        where text.task_id = new.id and details.task_id = new.id;
    end if;
    return null;
end;
$$;

comment on function index_title() is 'Writes the changed title of a task into task_search.';

create trigger tasks_92_index_title
    after update of title on tasks
    for each row
    execute function index_title();

create function index_description()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.description is distinct from new.description then
        update task_search as text
        set document = task_document(text.title, new.description)
        where text.task_id = new.task_id;
    end if;
    return null;
end;
$$;

comment on function index_description() is
    'Writes the changed description of a task into task_search.';

create trigger task_details_92_index_description
    after update of description on task_details
    for each row
    execute function index_description();

-- Counts an edit of a task's text or plan, and moves updated_at forward.
create function count_edit_of_details()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.version := old.version + 1;
    new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
    return new;
end;
$$;

comment on function count_edit_of_details() is 'Counts an edit, and moves updated_at forward.';

create trigger task_details_50_count_edit
    before update of
    description, feature_id, parent_id, complexity_score, estimated_hours, actual_hours,
    requirements, context, metadata, labels, file_path, created_by,
    retry_delay, retry_factor, max_retry_delay
    on task_details
    for each row
    execute function count_edit_of_details();

-- The tree of parents has no cycle. A new task has no children yet, unless they come in the same
-- statement; a change of parent is rare, and writes its guard first.
create function refuse_parent_cycle_among_new()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    ids uuid[];
    parents uuid[];
    above int[];
    visit int[];
    n int;
begin
    select array_agg(created.task_id), array_agg(created.parent_id)
    into ids, parents
    from created
    where created.parent_id is not null;
    if ids is null then
        return null;
    end if;

    -- From each task walk up to one visited before, or out of the new tasks. Meeting a task of the
    -- same walk is the cycle.
    above := positions_of(parents, ids);
    visit := array_fill(0, array[cardinality(ids)]);
    for i in 1..cardinality(ids) loop
        n := i;
        while visit[n] = 0 loop
            visit[n] := i;
            n := above[n];
        end loop;
        if visit[n] = i then
            perform raise_parent_cycle(ids[n]);
        end if;
    end loop;
    return null;
end;
$$;

comment on function refuse_parent_cycle_among_new() is
    'Refuses tasks of one statement that are each other''s parents.';

create trigger task_details_60_refuse_parent_cycle_among_new
    after insert on task_details
    referencing new table as created
    for each statement
    execute function refuse_parent_cycle_among_new();

-- Two changes of parents that would close a cycle together meet here. A new task needs no guard:
-- it has no children yet (task_details_60_refuse_parent_cycle_among_new).
create trigger task_details_10_lock_parents
    before update of parent_id on task_details
    for each statement
    execute function write_guard('parents');

-- The second row of a task stays with it. `tasks.update` writes the column, and changes nothing.
create function refuse_moved_details()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a row of task_details stays with its task',
        detail = 'TD003 update',
        hint = 'Insert a row for the other task.';
end;
$$;

comment on function refuse_moved_details() is 'Refuses to move the second row of a task.';

create trigger task_details_10_refuse_move
    before update of task_id on task_details
    for each row
    when (old.task_id <> new.task_id)
    execute function refuse_moved_details();

create function refuse_parent_cycle()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if new.parent_id is null or new.parent_id is not distinct from old.parent_id then
        return null;
    end if;

    if exists (
        with recursive ancestor as (
            select new.parent_id as id
            union
            select above.parent_id
            from ancestor
            cross join lateral (
                select details.parent_id
                from task_details as details
                where details.task_id = ancestor.id
                offset 0
            ) as above
            where above.parent_id is not null
        )

        select from ancestor where ancestor.id = new.task_id
    ) then
        perform raise_parent_cycle(new.task_id);
    end if;
    return null;
end;
$$;

comment on function refuse_parent_cycle() is 'Refuses to make a task a part of its own part.';

create trigger task_details_60_refuse_parent_cycle
    after update of parent_id on task_details
    for each row
    execute function refuse_parent_cycle();

-- A task exists once it has its second row. Then its first history row and its words in task_search
-- are written, a statement at a time; and it is paused if claiming is paused for it.
--
-- A dependency added by the same statement can have changed the status before: then the second
-- history row has the first status. A row that `taskdb doctor --repair` adds in place of a lost one
-- finds its history there, and writes nothing.
create function record_creation()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_memoize = off
as $$
declare
    ids uuid[];
    creators text[];
    unverified uuid[];
begin
    -- A load may have given what follows from edges. Whatever became of it since, such a task has
    -- another priority than its own, dependents, or dependencies, counted or not.
    select
        array_agg(created.task_id),
        array_agg(created.created_by),
        array_agg(created.task_id) filter (where task.follows_edges)
    into ids, creators, unverified
    from created
    cross join lateral (
        select
            other.details_follow
            and (
                other.effective_priority <> other.priority
                or other.has_dependents
                or other.open_dependencies <> 0
                or (
                    select true
                    from task_dependencies as edge
                    where edge.task_id = other.id
                    limit 1
                )
            ) as follows_edges
        from tasks as other
        where other.id = created.task_id
        offset 0
    ) as task;
    -- A repair writes no others. ON CONFLICT DO NOTHING would cost a bulk load 7 %.
    if exists (select from task_history as entry where entry.task_id = ids[1] and entry.seq = 1) then
        return null;
    end if;

    if unverified is not null then
        perform verify_precomputed(unverified);
    end if;

    insert into task_history (task_id, seq, new_status, token, agent, created_at)
    with task as (
        select
            new_task.id,
            case new_task.status_seq
                when 1 then new_task.status
                else (
                    select entry.old_status
                    from task_history as entry
                    where entry.task_id = new_task.id and entry.seq = 2
                )
            end as status,
            nullif(new_task.claim_token, 0) as token,
            coalesce(new_task.claim_agent, given.created_by, session_user) as agent,
            -- An importer's claim has its own start, and no row is older than the one before it.
            least(
                clock_timestamp(),
                case
                    when new_task.claim_agent is not null then new_task.started_at
                    when new_task.status_seq > 1
                        then (
                            select entry.created_at
                            from task_history as entry
                            where entry.task_id = new_task.id and entry.seq = 2
                        )
                end
            ) as moment
        from unnest(ids, creators) as given (id, created_by)
        cross join lateral (
            select
                found.id,
                found.status,
                found.status_seq,
                found.claim_token,
                found.claim_agent,
                found.started_at
            from tasks as found
            where found.id = given.id
            offset 0
        ) as new_task
    )

    select task.id, 1, task.status, task.token, task.agent, task.moment
    from task;

    insert into task_search (task_id, title, document)
    with text as (
        select task.id, task.title, details.description
        from unnest(ids) as given (id)
        cross join lateral (
            select found.id, found.title
            from tasks as found
            where found.id = given.id
            offset 0
        ) as task
        cross join lateral (
            select found.description
            from task_details as found
            where found.task_id = given.id
            offset 0
        ) as details
    )

    select text.id, text.title, task_document(text.title, text.description)
    from text;

    perform write_pauses(ids) where any_pauses();
    return null;
end;
$$;

comment on function record_creation() is
    'Writes the first history row and the words of new tasks.';

create trigger task_details_90_record_creation
    after insert on task_details
    referencing new table as created
    for each statement
    execute function record_creation();

-- The rows of new tasks in these tables are written by task_details_90_record_creation.
create trigger task_details_95_refresh_statistics
    after insert on task_details
    referencing new table as added
    for each statement
    execute function refresh_statistics('task_history', 'task_search');

-- Pausing and resuming meet the creation of tasks at the table itself: every creator of a task has
-- read claim_pauses, and this lock waits for them and keeps later ones waiting. A transaction with
-- an older snapshot meets the guard where it would write is_paused (functions/any_pauses.sql).
create function lock_claim_pauses()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    -- The deletion of any epic or feature fires this trigger.
    if tg_op = 'DELETE' and not exists (select from claim_pauses) then
        return null;
    end if;
    lock table claim_pauses in access exclusive mode;
    insert into guards (name) values ('pauses')
    on conflict (name) do update set version = guards.version + 1;
    return null;
end;
$$;

comment on function lock_claim_pauses() is 'Keeps tasks from being created while pauses change.';

create trigger claim_pauses_10_lock
    before insert or update or delete on claim_pauses
    for each statement
    execute function lock_claim_pauses();

-- Writes a pause, or its end, into the open tasks that it covers.
create function write_paused_tasks()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    -- It reads all open tasks, by the way that is best for as many as there are now.
    set plan_cache_mode = force_custom_plan
as $$
declare
    scope claim_pauses := case when tg_op = 'DELETE' then old else new end;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        -- The snapshot is older than the lock, and misses tasks created in between.
        raise exception using
            errcode = 'active_sql_transaction',
            message = 'claiming is paused and resumed at READ COMMITTED only',
            hint = 'Pause in a transaction of its own, of the default isolation level.';
    end if;
    if num_nonnulls(scope.epic_id, scope.feature_id, scope.agent_type) = 0 then
        perform write_pauses(array_agg(task.id))
        from tasks as task
        where task.status in ('pending', 'blocked', 'in_progress', 'in_review');
        return null;
    end if;
    perform write_pauses(array_agg(task.id))
    from task_details as details
    -- Lateral, so that each task is looked up by its key, however few seem to be open.
    cross join lateral (
        select
            other.id,
            other.status
        from tasks as other
        where other.id = details.task_id
        offset 0
    ) as task
    where
        task.status in ('pending', 'blocked', 'in_progress', 'in_review')
        and (scope.agent_type is null or details.agent_type = scope.agent_type)
        and (scope.feature_id is null or details.feature_id = scope.feature_id)
        and (
            scope.epic_id is null
            or details.feature_id in (
                select feature.id from features as feature where feature.epic_id = scope.epic_id
            )
        );
    return null;
end;
$$;

comment on function write_paused_tasks() is
    'Writes a pause, or its end, into the open tasks that it covers.';

create trigger claim_pauses_90_write_tasks
    after insert or delete on claim_pauses
    for each row
    execute function write_paused_tasks();

create function refuse_changed_pause()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if
        (old.epic_id, old.feature_id, old.agent_type)
        is distinct from (new.epic_id, new.feature_id, new.agent_type)
    then
        raise exception using
            errcode = 'TD003',
            message = 'the scope of a pause cannot be changed',
            detail = 'TD003 update',
            hint = 'Delete it and insert the other one.';
    end if;
    return new;
end;
$$;

comment on function refuse_changed_pause() is 'Refuses to change the scope of a pause.';

create trigger claim_pauses_10_refuse_change
    before update on claim_pauses
    for each row
    execute function refuse_changed_pause();

-- A task that moves to another feature is paused exactly if that is.
create function follow_feature()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    if old.feature_id is distinct from new.feature_id then
        perform write_pauses(array[new.task_id]) where any_pauses();
    end if;
    return null;
end;
$$;

comment on function follow_feature() is 'Pauses a task as its new feature is.';

create trigger task_details_90_follow_feature
    after update of feature_id on task_details
    for each row
    execute function follow_feature();

-- The tasks of a feature that moves to another epic are paused exactly if that is.
create function follow_epic()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.epic_id <> new.epic_id then
        perform write_pauses(array_agg(details.task_id))
        from task_details as details
        where details.feature_id = new.id and any_pauses();
    end if;
    return null;
end;
$$;

comment on function follow_epic() is 'Pauses the tasks of a feature as its new epic is.';

create trigger features_90_follow_epic
    after update of epic_id on features
    for each row
    execute function follow_epic();

-- A row of history that no trigger writes is imported: it has a source, and a number of its own.
-- They count downwards from 0. One that a change of the task itself writes has its number: what an
-- importer found later than the task.
create function imported_history(entry task_history)
    returns task_history
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if entry.source is null then
        raise exception using
            errcode = 'TD004',
            message = 'task_history is written by triggers only',
            detail = 'TD004 insert',
            hint = 'Change the status of the task; an importer gives its rows a source.';
    end if;
    entry.seq := (
        select least(coalesce(min(earlier.seq), 1), 1) - 1
        from task_history as earlier
        where earlier.task_id = entry.task_id
    );
    entry.created_at := coalesce(entry.created_at, clock_timestamp());
    return entry;
end;
$$;

comment on function imported_history(task_history) is
    'Numbers a row of imported history, and refuses one that no trigger wrote.';

-- Every transition runs it for its row, so it has no settings to change, and one expression where a
-- trigger writes. Each name is written with its schema, but for that of a function which is first
-- in the path; where another schema is, it is looked up anew.
create function number_imported_history()
    returns trigger
    language plpgsql
as $$
begin
    if pg_catalog.pg_trigger_depth() operator(pg_catalog.=) 1 then
        if tg_table_schema operator(pg_catalog.=) pg_catalog.current_schema() then
            new := imported_history(new);
        else
            execute pg_catalog.format(
                'select numbered.* from %I.imported_history($1) as numbered', tg_table_schema
            )
            into new
            using new;
        end if;
    end if;
    return new;
end;
$$;

comment on function number_imported_history() is
    'Has history that no trigger writes numbered, or refused.';

create trigger task_history_50_number_imported
    before insert on task_history
    for each row
    execute function number_imported_history();

-- History is written by triggers, or imported with its source; it is never changed, and
-- goes only with its task.
create function refuse_hand_written_history()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD004',
        message = 'task_history is written by triggers only',
        detail = format('TD004 %s', lower(tg_op)),
        hint = 'Change the status of the task; an importer gives its rows a source.';
end;
$$;

comment on function refuse_hand_written_history() is 'Refuses history that no trigger wrote.';

create trigger task_history_10_refuse_change
    before update on task_history
    for each row
    execute function refuse_hand_written_history();

create trigger task_history_10_refuse_removal
    before delete on task_history
    for each row
    when (pg_trigger_depth() = 0)
    execute function refuse_hand_written_history();

create function refuse_truncated_history()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from tasks) then
        raise exception using
            errcode = 'TD004',
            message = 'task_history cannot be emptied without its tasks',
            detail = 'TD004 truncate',
            hint = 'Delete the tasks; "truncate tasks cascade" empties both.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_history() is
    'Refuses to empty task_history while there are tasks.';

create trigger task_history_60_refuse_truncation
    after truncate on task_history
    for each statement
    execute function refuse_truncated_history();

-- An edge is added and removed, never changed: a change of its ends or its type would have to do
-- the work of both. And no task waits for itself.
create function refuse_changed_edge()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a dependency cannot be changed',
        detail = 'TD003 update',
        hint = 'Delete it and insert the other one in the same transaction.';
end;
$$;

comment on function refuse_changed_edge() is 'Refuses to change a dependency.';

create trigger task_dependencies_10_refuse_change
    before update of task_id, depends_on_id, dependency_type on task_dependencies
    for each row
    when (
        (old.task_id, old.depends_on_id, old.dependency_type)
        is distinct from (new.task_id, new.depends_on_id, new.dependency_type)
    )
    execute function refuse_changed_edge();

-- An edge from a task to itself is a cycle, also of a task that this snapshot does not see: it was
-- deleted or made meanwhile. Its key is unknown then, and the path has its id.
create function refuse_edge_to_itself()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    name text := coalesce(
        (select task.key from tasks as task where task.id = new.task_id), new.task_id::text
    );
begin
    perform raise_circular_dependency(array[name, name]);
    return new;
end;
$$;

comment on function refuse_edge_to_itself() is 'Refuses a task that waits for itself.';

create trigger task_dependencies_10_refuse_itself
    before insert on task_dependencies
    for each row
    when (new.task_id = new.depends_on_id)
    execute function refuse_edge_to_itself();

create function refuse_truncated_edges()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from tasks) then
        raise exception using
            errcode = 'TD003',
            message = 'dependencies cannot be truncated, since their tasks count them',
            detail = 'TD003 truncate',
            hint = 'Delete them; "truncate tasks cascade" empties both.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_edges() is
    'Refuses to empty task_dependencies while there are tasks.';

create trigger task_dependencies_60_refuse_truncation
    after truncate on task_dependencies
    for each statement
    execute function refuse_truncated_edges();

-- New edges: their dependents count them, the graph stays without a cycle, and their blockers
-- inherit the priority of the dependents.
--
-- Both ends of every requires or blocks edge are written, even where nothing changes in them. The
-- dependent's row is where this meets any other change of its count, rank or priority; the
-- blocker's row is where it meets the blocker's own completion, reopening or lowering. A
-- lock without a write is not enough: released by the commit, it leaves no trace for a
-- REPEATABLE READ transaction with an older snapshot, which would then neither see the
-- edge nor fail. tests/races/test_guards.py has the mutant.
--
-- Rows are locked in the order of ids, as everywhere; and their columns are read by the statements
-- that lock or write them, or by later ones.
--
-- One edge is the common case, and the one below: an update of each end, the blocker first where
-- its id is the lower one, as it usually is. add_many_edges does many.
create function add_edges()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    waiting_id uuid;
    awaited_id uuid;
    edge_type dependency_type;
    was_satisfied boolean;
    now_satisfied boolean;
    waiting_comes_first boolean;
    are_many boolean;
    opened int := 1;
    blocker_key text;
    blocker_rank bigint;
    blocker_priority int;
    is_ranked boolean;
    new_priority int;
begin
    select
        added.task_id,
        added.depends_on_id,
        added.dependency_type,
        added.is_satisfied,
        added.task_id < added.depends_on_id,
        added.dependency_type not in ('requires', 'blocks')
        or exists (select from added offset 1)
    into waiting_id, awaited_id, edge_type, was_satisfied, waiting_comes_first, are_many
    from added;
    if are_many then
        perform add_many_edges(
            array_agg(added.task_id),
            array_agg(added.depends_on_id),
            array_agg(added.dependency_type),
            array_agg(added.is_satisfied)
        )
        from added;
        return null;
    elsif are_many is null then
        return null;
    end if;

    if waiting_comes_first then
        perform from tasks as task where task.id = waiting_id for no key update;
    end if;
    update tasks as task
    set has_dependents = true, is_passed_on = true
    where task.id = awaited_id
    returning
        task.key,
        task.graph_rank,
        task.effective_priority,
        is_satisfied(edge_type, task.status, task.completed_at)
    into blocker_key, blocker_rank, blocker_priority, now_satisfied;

    if now_satisfied or was_satisfied then
        opened := (not was_satisfied)::int;
        update task_dependencies as edge
        set is_satisfied = now_satisfied
        where
            edge.task_id = waiting_id
            and edge.depends_on_id = awaited_id
            and edge.is_satisfied <> now_satisfied;
        if found then
            opened := (not now_satisfied)::int;
        end if;
    end if;
    update tasks as task
    set
        open_dependencies = task.open_dependencies + opened,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = blocker_key
    where task.id = waiting_id
    returning
        task.graph_rank > blocker_rank,
        case
            when
                task.effective_priority < blocker_priority
                and is_active(task.status, task.completed_at)
                then task.effective_priority
        end
    into is_ranked, new_priority;

    if not is_ranked then
        perform task_graph_repair(array[waiting_id], array[awaited_id]);
    end if;
    if new_priority is not null then
        perform inherit_priority(array[awaited_id], array[new_priority]);
    end if;
    return null;
end;
$$;

comment on function add_edges() is
    'Counts new dependencies at their tasks, passes their priority on, and refuses those that '
    'close a cycle.';

create trigger task_dependencies_90_add_edges
    after insert on task_dependencies
    referencing new table as added
    for each statement
    execute function add_edges();

-- Removed edges: their dependents count them no longer, and their blockers stop inheriting from
-- them. The dependent is written even unchanged: otherwise a blocker, reopened by a transaction
-- with an older snapshot, would count an edge that it still sees. The blocker's row may be gone as
-- well; only if it is not, the tasks that ended with it are taken up again.
create function remove_edges()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    waiting uuid[];
    awaited uuid[];
    opened int[];
    bound uuid[];
    bound_to uuid[];
begin
    select
        array_agg(removed.task_id order by removed.task_id),
        array_agg(removed.depends_on_id order by removed.task_id),
        array_agg((not removed.is_satisfied)::int order by removed.task_id),
        array_agg(removed.task_id)
            filter (where removed.dependency_type in ('cancelled_with', 'compensates')),
        array_agg(removed.depends_on_id)
            filter (where removed.dependency_type in ('cancelled_with', 'compensates'))
    into waiting, awaited, opened, bound, bound_to
    from removed
    where removed.dependency_type <> 'suggests';
    if waiting is null then
        return null;
    end if;

    perform
    from unnest(waiting) as given (id)
    cross join lateral (
        select from tasks as task where task.id = given.id for no key update offset 0
    ) as task;

    update tasks as task
    set
        open_dependencies = task.open_dependencies - change.opened,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = coalesce(
            change.blocker_key || ': dependency removed', 'a task it waited for was deleted'
        )
    from (
        select
            dependent.place,
            sum(edge.opened)::int as opened,
            min(blocker.key) as blocker_key
        from unnest(waiting, awaited, opened) as edge (task_id, depends_on_id, opened)
        cross join lateral (
            select task.ctid as place from tasks as task where task.id = edge.task_id offset 0
        ) as dependent
        left join lateral (
            select task.key from tasks as task where task.id = edge.depends_on_id offset 0
        ) as blocker on true
        group by dependent.place
    ) as change
    where task.ctid = change.place;

    perform revoke_priority(awaited);

    if bound is not null then
        perform take_up_again(
            array_agg(edge.task_id), min(blocker.key) || ': dependency removed'
        )
        from unnest(bound, bound_to) as edge (task_id, depends_on_id)
        cross join lateral (
            select task.key from tasks as task where task.id = edge.depends_on_id offset 0
        ) as blocker
        having count(*) > 0;
    end if;
    return null;
end;
$$;

comment on function remove_edges() is
    'Takes removed dependencies out of their tasks'' counts and priorities.';

create trigger task_dependencies_90_remove_edges
    after delete on task_dependencies
    referencing old table as removed
    for each statement
    execute function remove_edges();

-- A change of a workflow's status must be a row of workflow_status_transitions.
create trigger workflows_10_refuse_transition
    before update of status on workflows
    for each row
    when (old.status <> new.status)
    execute function refuse_transition('workflow_status_transitions', 'the workflow', 'clone it');

-- Detaches the tasks of a deleted workflow first, before any foreign key acts.
--
-- The keys would do it, each for its own column and in the order of their triggers' names, which
-- differs in a database restored from a dump. An execution deleted first would change tasks whose
-- workflow is gone by then, and for a task created in the same transaction the server checks that
-- key too.
create function let_tasks_of_workflow_go()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update tasks as task
    set
        workflow_id = null,
        workflow_execution_id = null
    where task.workflow_id = old.id;
    return old;
end;
$$;

comment on function let_tasks_of_workflow_go() is
    'Detaches the tasks of a workflow before it is deleted.';

create trigger workflows_50_let_tasks_go
    before delete on workflows
    for each row
    execute function let_tasks_of_workflow_go();

create trigger workflows_50_touch_updated_at
    before update on workflows
    for each row
    execute function touch_updated_at();

create trigger workflow_steps_50_touch_updated_at
    before update on workflow_steps
    for each row
    execute function touch_updated_at();

-- The needs of steps have no cycle. Adding one writes the workflow's row first, so that two
-- sessions which would close a cycle together meet there: at READ COMMITTED the second waits and
-- then sees the first's; at the higher levels it fails with 40001. Executions only read, and share
-- the row among themselves. A cycle through a new need consists of its step and of steps that need
-- it, directly or not: nothing else is read.
create function refuse_step_cycle()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    workflow_ids uuid[];
    step_ids uuid[];
    path text[];
begin
    select
        array_agg(added.workflow_id),
        array_agg(added.step_id)
    into workflow_ids, step_ids
    from added;
    if step_ids is null then
        return null;
    end if;

    perform 1
    from workflows as workflow
    where workflow.id = any(workflow_ids)
    order by workflow.id
    for no key update;
    update workflows as workflow
    set graph_version = workflow.graph_version + 1
    where workflow.id = any(workflow_ids);

    path := step_cycle(
        array(
            with recursive later as (
                select
                    given.workflow_id,
                    given.step_id
                from unnest(workflow_ids, step_ids) as given (workflow_id, step_id)
                union
                -- Lateral, so that each step's dependents are read by the index.
                select
                    need.workflow_id,
                    need.step_id
                from later
                cross join lateral (
                    select
                        found.workflow_id,
                        found.step_id
                    from workflow_step_needs as found
                    where
                        found.workflow_id = later.workflow_id
                        and found.needs_id = later.step_id
                    offset 0
                ) as need
            )

            select later.step_id
            from later
            order by later.step_id
        )
    );
    if path is not null then
        perform raise_circular_dependency(path);
    end if;
    return null;
end;
$$;

comment on function refuse_step_cycle() is 'Refuses steps that need each other in a cycle.';

create trigger workflow_step_needs_60_refuse_cycle
    after insert on workflow_step_needs
    referencing new table as added
    for each statement
    execute function refuse_step_cycle();

-- A need is added and removed, never changed, as a dependency between tasks.
create trigger workflow_step_needs_10_refuse_change
    before update on workflow_step_needs
    for each row
    when (
        (old.workflow_id, old.step_id, old.needs_id)
        is distinct from (new.workflow_id, new.step_id, new.needs_id)
    )
    execute function refuse_changed_edge();

-- Only an active workflow is started. The lock is shared: a start waits for a pause, and not for
-- another start.
create function refuse_idle_workflow()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    found_status shared.workflow_status;
begin
    select workflow.status
    into found_status
    from workflows as workflow
    where workflow.id = new.workflow_id
    for share;
    if found_status <> 'active' then
        raise exception using
            errcode = 'TD001',
            message = format('the workflow is %s: it cannot be started', found_status),
            detail = format('TD001 %s -> running', found_status),
            hint = 'Activate it first.';
    end if;
    return new;
end;
$$;

comment on function refuse_idle_workflow() is
    'Refuses to start a workflow that is not active.';

create trigger workflow_executions_10_refuse_idle_workflow
    before insert on workflow_executions
    for each row
    when (new.status = 'running')
    execute function refuse_idle_workflow();

-- An execution that has ended keeps its status.
create function refuse_revived_execution()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status <> 'running' then
        raise exception using
            errcode = 'TD001',
            message = format('the execution is %s already', old.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = 'Start another one.';
    end if;
    return new;
end;
$$;

comment on function refuse_revived_execution() is 'Refuses another end of an execution.';

create trigger workflow_executions_10_refuse_revival
    before update of status on workflow_executions
    for each row
    execute function refuse_revived_execution();

-- The end of an execution, by whatever route: its moment, its tasks counted unless the runner has
-- counted them, and its open steps cancelled. Recording a step locks this row.
create function normalize_execution()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.status = 'running' and new.status <> 'running' then
        new.ended_at := coalesce(new.ended_at, now());
        select
            coalesce(new.total_tasks, count(*)),
            coalesce(
                new.completed_tasks,
                count(*) filter (
                    where task.status in ('completed', 'archived')
                        and task.completed_at is not null
                )
            ),
            coalesce(new.failed_tasks, count(*) filter (where task.status = 'failed'))
        into new.total_tasks, new.completed_tasks, new.failed_tasks
        from tasks as task
        where task.workflow_execution_id = new.id;
    end if;
    return new;
end;
$$;

comment on function normalize_execution() is
    'Fills in the columns that follow from the end of an execution.';

create trigger workflow_executions_50_normalize
    before update of status on workflow_executions
    for each row
    execute function normalize_execution();

create trigger workflow_executions_51_touch_updated_at
    before update on workflow_executions
    for each row
    execute function touch_updated_at();

create function cancel_open_steps()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if old.status = 'running' and new.status <> 'running' then
        update execution_steps as step
        set status = 'cancelled', ended_at = new.ended_at, deadline_at = null, retry_at = null
        where
            step.execution_id = new.id
            and step.status in ('pending', 'in_progress', 'retrying');
    end if;
    return null;
end;
$$;

comment on function cancel_open_steps() is 'Cancels the open steps of an execution at its end.';

create trigger workflow_executions_90_cancel_open_steps
    after update of status on workflow_executions
    for each row
    execute function cancel_open_steps();

create trigger external_dependencies_50_touch_updated_at
    before update on external_dependencies
    for each row
    execute function touch_updated_at();

-- Counts unhealthy required dependencies at their tasks and workflows, each of them once a
-- statement, whatever the number of its dependencies, in the order of ids. The difference follows
-- from the old and the new rows alone, so no other transaction can make it wrong.
create function count_added_unhealthy()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform change_unhealthy(change.task_id, change.workflow_id, change.number)
    from (
        select added.task_id, added.workflow_id, count(*)::int as number
        from added
        where added.is_required and added.health = 'unhealthy'
        group by added.task_id, added.workflow_id
        order by added.workflow_id, added.task_id
    ) as change;
    return null;
end;
$$;

comment on function count_added_unhealthy() is
    'Counts new unhealthy dependencies at their tasks and workflows.';

create trigger external_dependencies_90_count_added
    after insert on external_dependencies
    referencing new table as added
    for each statement
    execute function count_added_unhealthy();

-- Takes deleted dependencies out of the counts: see external_dependencies_90_count_added.
create function count_removed_unhealthy()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform change_unhealthy(change.task_id, change.workflow_id, -change.number)
    from (
        select removed.task_id, removed.workflow_id, count(*)::int as number
        from removed
        where removed.is_required and removed.health = 'unhealthy'
        group by removed.task_id, removed.workflow_id
        order by removed.workflow_id, removed.task_id
    ) as change;
    return null;
end;
$$;

comment on function count_removed_unhealthy() is
    'Takes deleted unhealthy dependencies out of the counts.';

create trigger external_dependencies_90_count_removed
    after delete on external_dependencies
    referencing old table as removed
    for each statement
    execute function count_removed_unhealthy();

-- Counts dependencies that became unhealthy, or are so no longer, or moved: see
-- external_dependencies_90_count_added.
create function count_unhealthy()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
begin
    perform change_unhealthy(change.task_id, change.workflow_id, change.number)
    from (
        select counted.task_id, counted.workflow_id, sum(counted.number)::int as number
        from (
            select removed.task_id, removed.workflow_id, -1 as number
            from removed
            where removed.is_required and removed.health = 'unhealthy'
            union all
            select added.task_id, added.workflow_id, 1 as number
            from added
            where added.is_required and added.health = 'unhealthy'
        ) as counted
        group by counted.task_id, counted.workflow_id
        having sum(counted.number) <> 0
        order by counted.workflow_id, counted.task_id
    ) as change;
    return null;
end;
$$;

comment on function count_unhealthy() is
    'Counts unhealthy dependencies at their tasks and workflows.';

create trigger external_dependencies_90_count_unhealthy
    after update on external_dependencies
    referencing old table as removed new table as added
    for each statement
    execute function count_unhealthy();

create function refuse_truncated_externals()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if
        exists (select from tasks as task where task.unhealthy_dependencies > 0)
        or exists (select from workflows as workflow where workflow.unhealthy_dependencies > 0)
    then
        raise exception using
            errcode = 'TD003',
            message = 'external dependencies cannot be truncated while unhealthy ones are counted',
            detail = 'TD003 truncate',
            hint = 'Delete them.';
    end if;
    return null;
end;
$$;

comment on function refuse_truncated_externals() is
    'Refuses to empty external_dependencies while tasks or workflows count some of them.';

create trigger external_dependencies_60_refuse_truncation
    after truncate on external_dependencies
    for each statement
    execute function refuse_truncated_externals();

-- Keeps the first moment at which a specification goes into progress.
create function note_spec_start()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.started_at := clock_timestamp();
    return new;
end;
$$;

comment on function note_spec_start() is
    'Records the moment at which a specification first went into progress.';

create trigger technical_specs_50_note_start
    before update of status on technical_specs
    for each row
    when (old.status <> new.status and new.status = 'in_progress' and new.started_at is null)
    execute function note_spec_start();

-- Numbers a specification created without one: the next number not taken by hand.
create function number_spec()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    while new.spec_number is null loop
        new.spec_number := nextval('technical_spec_number');
        if exists (
            select from technical_specs as spec where spec.spec_number = new.spec_number
        ) then
            new.spec_number := null;
        end if;
    end loop;
    return new;
end;
$$;

comment on function number_spec() is 'Gives a specification without a number the next one.';

create trigger technical_specs_50_number
    before insert on technical_specs
    for each row
    execute function number_spec();

-- A change of status must be a row of spec_status_transitions.
create trigger technical_specs_10_refuse_transition
    before update of status on technical_specs
    for each row
    when (old.status <> new.status)
    execute function refuse_transition('spec_status_transitions', '', '');

create trigger technical_specs_52_touch_updated_at
    before update on technical_specs
    for each row
    execute function touch_updated_at();

-- The structure of a hierarchical specification is what it should be, or is refused with the
-- phase that is not:
--   overview, architecture, technology_stack   texts, if there
--   phases     a list of at least one object, each with
--     number       0 to 9,999, each once; without it, its place in the list
--     name         a text of 1 to 200 characters, each once
--     description, content   texts, if there
--     hours        a number, not negative, if there
--     files        a list of texts, if there: what its task may change
-- A constraint could refuse as much, and would not say why.
create function check_structure()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
as $$
declare
    phases jsonb;
    phase jsonb;
    field text;
    numbers int[] := '{}';
    names text[] := '{}';
begin
    if jsonb_typeof(new.structure) is distinct from 'object' then
        -- Null, or a constraint refuses it.
        if new.phase is not null then
            perform raise_refusal('phase', 'must be null unless there are phases');
        end if;
        return new;
    end if;
    foreach field in array array['overview', 'architecture', 'technology_stack'] loop
        if jsonb_typeof(new.structure -> field) not in ('string', 'null') then
            perform raise_refusal('structure.' || field, 'must be text');
        end if;
    end loop;

    phases := new.structure -> 'phases';
    if jsonb_typeof(phases) is distinct from 'array' or jsonb_array_length(phases) = 0 then
        perform raise_refusal('structure.phases', 'must be a list of at least one phase');
    end if;
    for place in 0..jsonb_array_length(phases) - 1 loop
        phase := phases -> place;
        field := format('structure.phases[%s]', place);
        if jsonb_typeof(phase) <> 'object' then
            perform raise_refusal(field, 'must be an object');
        end if;
        if not phase ? 'number' then
            phase := jsonb_set(phase, '{number}', to_jsonb(place + 1));
            new.structure := jsonb_set(
                new.structure, array['phases', place::text, 'number'], to_jsonb(place + 1)
            );
        end if;
        perform check_phase(field, phase);
        if (phase ->> 'number')::int = any(numbers) then
            perform raise_refusal(field || '.number', 'must be unique among the phases');
        elsif phase ->> 'name' = any(names) then
            perform raise_refusal(field || '.name', 'must be unique among the phases');
        end if;
        numbers := numbers || (phase ->> 'number')::int;
        names := names || (phase ->> 'name');
    end loop;
    if new.phase <> all(numbers) then
        perform raise_refusal('phase', 'must be the number of one of the phases');
    end if;
    return new;
end;
$$;

comment on function check_structure() is
    'Refuses a structure that breaks a rule, and numbers phases without a number.';

-- An insert has no column list to wait for; an update may leave both alone.
create trigger technical_specs_51_check_structure
    before insert or update of structure, phase on technical_specs
    for each row
    execute function check_structure();

-- Updates the rows derived from a specification's text: its phases, and its words for search.
create function index_spec()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if tg_op = 'UPDATE' then
        if
            old.title is not distinct from new.title
            and old.content is not distinct from new.content
            and old.structure is not distinct from new.structure
        then
            return null;
        end if;
        delete from spec_phases as phase
        where phase.spec_id = new.id and phase.name <> all(coalesce(new.phase_files, '{}'));
    end if;

    insert into spec_phases (spec_id, name, number, hours)
    select new.id, phase.name, phase.number, phase.hours
    from jsonb_to_recordset(new.structure -> 'phases')
        as phase (name text, number int, hours numeric)
    on conflict (spec_id, name) do update
    set number = excluded.number, hours = excluded.hours;

    insert into spec_search (spec_id, document)
    values (new.id, spec_document(new.title, new.content, new.structure))
    on conflict (spec_id) do update
    set document = excluded.document;
    return null;
end;
$$;

comment on function index_spec() is 'Writes a specification''s phases and words beside it.';

create trigger technical_specs_90_index
    after insert or update of title, content, structure on technical_specs
    for each row
    execute function index_spec();

create trigger technical_specs_95_refresh_statistics
    after insert on technical_specs
    referencing new table as added
    for each statement
    execute function refresh_statistics();

-- Two new dependencies that would close a cycle together meet here. They are few.
create trigger spec_dependencies_10_lock
    before insert on spec_dependencies
    for each statement
    execute function write_guard('spec_dependencies');

-- The dependencies between specifications have no cycle: a statement that adds some has written
-- its guard (spec_dependencies_10_lock), and looks, in a statement and so at READ COMMITTED
-- in a snapshot of its own, at all that depend on those that wait now, each specification once. A
-- cycle would be among them; and a new specification has no dependents, however many it needs. The
-- error names the shortest one through a new dependency.
create function refuse_spec_cycle()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    new_waiting uuid[];
    new_awaited uuid[];
    reached uuid[];
    waiting uuid[];
    awaited uuid[];
    seen int[];
    back text[];
begin
    select array_agg(added.spec_id), array_agg(added.depends_on_id)
    into new_waiting, new_awaited
    from added;

    with recursive reachable as (
        select given.id from unnest(new_waiting) as given (id)
        union
        select edge.spec_id
        from reachable
        cross join lateral (
            select dependency.spec_id
            from spec_dependencies as dependency
            where dependency.depends_on_id = reachable.id
            offset 0
        ) as edge
    )

    select array_agg(reachable.id order by reachable.id) into reached from reachable;

    select
        array_agg(edge.spec_id order by edge.depends_on_id),
        array_agg(edge.depends_on_id order by edge.depends_on_id)
    into waiting, awaited
    from unnest(reached) as given (id)
    cross join lateral (
        select dependency.spec_id, dependency.depends_on_id
        from spec_dependencies as dependency
        where dependency.depends_on_id = given.id
        offset 0
    ) as edge;
    seen := cycle_by_position(
        cardinality(reached), positions_of(waiting, reached), positions_of(awaited, reached)
    );
    if seen is not null then
        select spec_path(edge.depends_on_id, edge.spec_id)
        into back
        from (
            select added.spec_id, added.depends_on_id
            from unnest(new_waiting, new_awaited) as added (spec_id, depends_on_id)
            inner join unnest(seen) with ordinality as visit (n, place)
                on added.spec_id = reached[visit.n]
            inner join unnest(seen) with ordinality as following (n, place)
                on following.place = visit.place + 1 and added.depends_on_id = reached[following.n]
            limit 1
        ) as edge;
        perform raise_circular_dependency(back[cardinality(back):] || back);
    end if;
    return null;
end;
$$;

comment on function refuse_spec_cycle() is
    'Refuses dependencies that close a cycle of specifications.';

create trigger spec_dependencies_60_refuse_cycle
    after insert on spec_dependencies
    referencing new table as added
    for each statement
    execute function refuse_spec_cycle();

create trigger spec_dependencies_10_refuse_change
    before update on spec_dependencies
    for each row
    when ((old.spec_id, old.depends_on_id) is distinct from (new.spec_id, new.depends_on_id))
    execute function refuse_changed_edge();

-- An implementation task keeps its task, and has the type of its specification, which the foreign
-- key then enforces.
create function fill_in_spec_type()
    returns trigger
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    if tg_op = 'UPDATE' and new.task_id <> old.task_id then
        raise exception using
            errcode = 'TD003',
            message = 'an implementation task keeps its task',
            detail = 'TD003 update',
            hint = 'Delete it and make another one.';
    end if;
    -- A missing specification is reported by the foreign key.
    new.spec_type := coalesce(
        (select spec.spec_type from technical_specs as spec where spec.id = new.spec_id),
        'monolithic'
    );
    return new;
end;
$$;

comment on function fill_in_spec_type() is
    'Gives an implementation task the type of its specification.';

create trigger implementation_tasks_50_fill_in_spec_type
    before insert or update of task_id, spec_id, spec_type on implementation_tasks
    for each row
    execute function fill_in_spec_type();

-- A task whose list of files is new, or changes, while it is in progress locks the new ones. Its
-- row is written even if it is not in progress: there this meets a claim which sees the old list in
-- an older snapshot. A lock without a write would leave no trace for it.
create function lock_changed_files()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    status shared.task_status;
    concurrency_key text;
begin
    update tasks as task
    set has_files = cardinality(new.assigned_files) > 0
    where task.id = new.task_id
    returning task.status, task.concurrency_key into status, concurrency_key;
    if concurrency_key is not null then
        -- It can have been offered a slot that its files now keep it from taking.
        perform look_at_slots_again(concurrency_key);
    end if;
    if status = 'in_progress' then
        delete from file_locks as file
        where file.task_id = new.task_id and file.path <> all(new.assigned_files);
        if found then
            perform note_ready('');
        end if;
        if not take_files(new.task_id) then
            perform raise_locked_file(new.task_id);
        end if;
    end if;
    return null;
end;
$$;

comment on function lock_changed_files() is
    'Locks the files that a task in progress is newly assigned, and releases the others.';

create trigger implementation_tasks_90_lock_changed_files
    after insert or update of assigned_files on implementation_tasks
    for each row
    execute function lock_changed_files();

-- A task goes with either of its parts: deleting an implementation task, or a row that task_details
-- refers to (a feature, a parent), deletes the task. All tasks below it go in the same statement:
-- left to the foreign keys, each level of parents would run inside the one above, and 1,600 levels
-- exceed the server's stack.
create function delete_task_of()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    ids uuid[];
begin
    select array_agg(removed.task_id) into ids from removed;
    ids := array(
        with recursive below as (
            select task.id from tasks as task where task.id = any(ids)
            union
            -- Lateral, so that each level reads its own children by the index.
            select part.task_id
            from below
            cross join lateral (
                select details.task_id
                from task_details as details
                where details.parent_id = below.id
                offset 0
            ) as part
        )

        select below.id from below
    );
    -- Mostly the tasks are gone already, and their rows of task_details go with them.
    if ids <> '{}' then
        delete from tasks as task where task.id = any(ids);
    end if;
    return null;
end;
$$;

comment on function delete_task_of() is 'Deletes the tasks whose other row was deleted.';

create trigger implementation_tasks_90_delete_task
    after delete on implementation_tasks
    referencing old table as removed
    for each statement
    execute function delete_task_of();

create trigger task_details_90_delete_task
    after delete on task_details
    referencing old table as removed
    for each statement
    execute function delete_task_of();

create trigger design_jobs_50_touch_updated_at
    before update on design_jobs
    for each row
    execute function touch_updated_at();

create trigger design_outputs_50_touch_updated_at
    before update on design_outputs
    for each row
    execute function touch_updated_at();

-- A change of a session's status must be a row of session_status_transitions. None is from a status
-- to itself: of two agents that start a session, one is refused.
create trigger tech_spec_sessions_10_refuse_transition
    before update of status on tech_spec_sessions
    for each row
    execute function refuse_transition(
        'session_status_transitions', 'the session', 'start another'
    );

-- A session works on the documents of its design job, so that job must be completed; it stays so.
create function refuse_early_session()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    job_status shared.design_job_status;
begin
    select job.status
    into job_status
    from design_jobs as job
    where job.id = new.design_job_id;
    -- A missing job is reported by the foreign key.
    if job_status <> 'completed' then
        perform raise_refusal(
            'design_job_id',
            format('must name a completed design job; this one is %s', job_status)
        );
    end if;
    return new;
end;
$$;

comment on function refuse_early_session() is
    'Refuses a session in progress whose design job is not completed.';

create trigger tech_spec_sessions_10_refuse_early_start
    before insert or update of status on tech_spec_sessions
    for each row
    when (new.status = 'in_progress')
    execute function refuse_early_session();

-- The columns that follow from a status, by whatever route: the moment of completion, full
-- progress, and no reason of a failure that is over.
create function normalize_session()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if new.status = 'completed' then
        new.completed_at := coalesce(new.completed_at, now());
        new.progress_percentage := 100;
    else
        new.completed_at := null;
    end if;
    if new.status <> 'failed' then
        new.failure_reason := null;
    end if;
    return new;
end;
$$;

comment on function normalize_session() is
    'Fills in the columns that follow from the status of a session.';

create trigger tech_spec_sessions_50_normalize
    before insert or update of status on tech_spec_sessions
    for each row
    execute function normalize_session();

create trigger tech_spec_sessions_51_touch_updated_at
    before update on tech_spec_sessions
    for each row
    execute function touch_updated_at();

create trigger tech_research_50_touch_updated_at
    before update on tech_research
    for each row
    execute function touch_updated_at();

-- Messages are never changed.
create function refuse_changed_message()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a message cannot be changed',
        detail = 'TD003 update',
        hint = 'Append another message.';
end;
$$;

comment on function refuse_changed_message() is 'Refuses to change a message.';

create trigger tech_conversations_10_refuse_change
    before update on tech_conversations
    for each row
    execute function refuse_changed_message();

-- A document gets the version after its session's newest. Writing the session's row makes two
-- writers of one session take turns, at every isolation level: reading the highest version would
-- give both the same. docs/decisions/0011-document-versions.md
create function number_document()
    returns trigger
    language plpgsql
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    update tech_spec_sessions as session
    set newest_version = session.newest_version + 1
    where session.id = new.session_id
    returning session.newest_version into new.version;
    -- A session that does not exist is reported by the foreign key.
    new.version := coalesce(new.version, 1);
    return new;
end;
$$;

comment on function number_document() is
    'Numbers a document: the version after its session''s newest.';

create trigger generated_trd_documents_50_number_version
    before insert on generated_trd_documents
    for each row
    execute function number_document();

-- The version of a document and its session are its identity, and never change.
create function refuse_renumbered_document()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    raise exception using
        errcode = 'TD003',
        message = 'a document keeps its session and its version',
        detail = 'TD003 update',
        hint = 'Add another one.';
end;
$$;

comment on function refuse_renumbered_document() is
    'Refuses to change the session or the version of a document.';

create trigger generated_trd_documents_10_refuse_renumbering
    before update of session_id, version on generated_trd_documents
    for each row
    when (
        old.session_id is distinct from new.session_id
        or old.version is distinct from new.version
    )
    execute function refuse_renumbered_document();

create trigger generated_trd_documents_51_touch_updated_at
    before update on generated_trd_documents
    for each row
    execute function touch_updated_at();

create trigger agent_error_logs_50_touch_updated_at
    before update on agent_error_logs
    for each row
    execute function touch_updated_at();

create trigger agent_error_logs_95_refresh_statistics
    after insert on agent_error_logs
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger design_decisions_95_refresh_statistics
    after insert on design_decisions
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger design_jobs_95_refresh_statistics
    after insert on design_jobs
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger design_outputs_95_refresh_statistics
    after insert on design_outputs
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger design_progress_95_refresh_statistics
    after insert on design_progress
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger epics_95_refresh_statistics
    after insert on epics
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger execution_steps_95_refresh_statistics
    after insert on execution_steps
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger external_dependencies_95_refresh_statistics
    after insert on external_dependencies
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger features_95_refresh_statistics
    after insert on features
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger generated_trd_documents_95_refresh_statistics
    after insert on generated_trd_documents
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger implementation_tasks_95_refresh_statistics
    after insert on implementation_tasks
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger imported_tasks_95_refresh_statistics
    after insert on imported_tasks
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger modifications_95_refresh_statistics
    after insert on modifications
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger project_contexts_95_refresh_statistics
    after insert on project_contexts
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger spec_dependencies_95_refresh_statistics
    after insert on spec_dependencies
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger subtasks_95_refresh_statistics
    after insert on subtasks
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger task_files_95_refresh_statistics
    after insert on task_files
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger tech_conversations_95_refresh_statistics
    after insert on tech_conversations
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger tech_research_95_refresh_statistics
    after insert on tech_research
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger tech_spec_sessions_95_refresh_statistics
    after insert on tech_spec_sessions
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger templates_95_refresh_statistics
    after insert on templates
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger workflow_executions_95_refresh_statistics
    after insert on workflow_executions
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger workflow_step_needs_95_refresh_statistics
    after insert on workflow_step_needs
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger workflow_steps_95_refresh_statistics
    after insert on workflow_steps
    referencing new table as added
    for each statement
    execute function refresh_statistics();

create trigger workflows_95_refresh_statistics
    after insert on workflows
    referencing new table as added
    for each statement
    execute function refresh_statistics();

-- Each task whole: its row of tasks and its row of task_details.
create view full_tasks as
select
    task.id,
    task.key,
    details.feature_id,
    task.workflow_id,
    task.workflow_execution_id,
    details.parent_id,
    task.title,
    details.description,
    task.status,
    task.priority,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    details.complexity_score,
    details.estimated_hours,
    details.actual_hours,
    task.execution_order,
    details.requirements,
    details.context,
    details.metadata,
    details.labels,
    details.file_path,
    task.blocked_reason,
    task.error_message,
    task.scheduled_at,
    task.max_attempts,
    task.failed_attempts,
    details.retry_delay,
    details.retry_factor,
    details.max_retry_delay,
    task.concurrency_key,
    task.open_dependencies,
    details.created_by,
    task.started_at,
    task.blocked_at,
    task.completed_at,
    task.created_at,
    greatest(task.updated_at, details.updated_at) as updated_at,
    task.version + details.version as version
from tasks as task
inner join task_details as details on details.task_id = task.id;

comment on view full_tasks is 'Tasks whole, as callers see them: tasks with task_details.';
comment on column full_tasks.version is 'Grows with every edit; a transition leaves it alone.';

-- Projects without their files, which may be long.
create view project_summaries as
select
    project.id,
    project.name,
    project.type,
    project.status,
    project.owner_id,
    project.dependencies,
    project.deployment_config,
    project.test_coverage,
    project.security_score,
    project.performance_score,
    project.version,
    project.created_at,
    project.updated_at,
    project.last_deployed_at
from project_contexts as project;

comment on view project_summaries is 'Projects without their codebase.';

-- Templates without their files, which may be long.
create view template_summaries as
select
    template.id,
    template.name,
    template.description,
    template.category,
    template.required_vars,
    template.optional_vars,
    template.tech_stack,
    template.estimated_setup_time,
    template.complexity,
    template.tags,
    template.created_at,
    template.updated_at
from templates as template;

comment on view template_summaries is 'Templates without their files.';

-- Workflows with the columns that callers need, without those that triggers derive.
create view workflow_summaries as
select
    workflow.id,
    workflow.name,
    workflow.description,
    workflow.status,
    workflow.github_repo_url,
    workflow.linear_issue_id,
    workflow.trigger_type,
    workflow.configuration,
    workflow.metadata,
    workflow.created_by,
    workflow.created_at,
    workflow.updated_at,
    workflow.unhealthy_dependencies
from workflows as workflow;

comment on view workflow_summaries is 'Workflows without the columns that triggers keep.';

-- Specifications without their content, which may be long.
create view spec_summaries as
select
    spec.id,
    spec.spec_number,
    spec.key,
    spec.title,
    spec.roadmap_item_id,
    spec.status,
    spec.spec_type,
    spec.file_path,
    spec.total_phases,
    spec.phase_files,
    spec.phase,
    spec.current_phase_status,
    spec.estimated_hours,
    spec.actual_hours,
    spec.created_by,
    spec.updated_by,
    spec.started_at,
    spec.created_at,
    spec.updated_at
from technical_specs as spec;

comment on view spec_summaries is 'Specifications without content and structure.';

-- The history of all tasks, each entry with the key of its task.
create view task_changes as
select
    entry.task_id,
    task.key,
    entry.seq,
    entry.old_status,
    entry.new_status,
    entry.agent,
    entry.login_role,
    entry.note,
    entry.forced,
    entry.source,
    entry.token,
    entry.outcome,
    entry.created_at
from task_history as entry
inner join tasks as task on task.id = entry.task_id;

comment on view task_changes is 'The history of tasks, with their keys.';

-- The place of each task: the keys of its feature and epic, for filters by them.
create view task_places as
select
    details.task_id,
    feature.key as feature,
    epic.key as epic
from task_details as details
inner join features as feature on feature.id = details.feature_id
inner join epics as epic on epic.id = feature.epic_id;

comment on view task_places is 'The feature and the epic of each task that has one, by key.';

-- The steps of workflows, each with the keys of what it needs.
create view full_steps as
select
    step.id,
    step.workflow_id,
    step.key,
    step.position,
    step.title,
    step.step_type,
    step.configuration,
    step.condition,
    step.on_error,
    step.max_attempts,
    step.retry_delay,
    step.timeout,
    step.created_at,
    step.updated_at,
    array(
        select cast(needed.key as text)
        from workflow_step_needs as need
        inner join workflow_steps as needed on needed.id = need.needs_id
        where need.workflow_id = step.workflow_id and need.step_id = step.id
        order by needed.key
    ) as needs
from workflow_steps as step;

comment on view full_steps is 'Steps of workflows, with their needs.';

-- Claims, from history: a claim is one attempt of one agent at one task. Its first row carries its
-- token; the next row of the task ends it.
create view task_claims as
select
    beginning.task_id,
    beginning.token,
    beginning.agent,
    beginning.created_at as claimed_at,
    case when ending.seq is null then task.lease_expires_at end as lease_expires_at,
    ending.outcome,
    ending.created_at as ended_at,
    ending.note,
    case when ending.seq is null then task.progress_pct else ending.progress_pct end
        as progress_pct,
    case when ending.seq is null then task.progress_note else ending.progress_note end
        as progress_note
from task_history as beginning
inner join tasks as task on task.id = beginning.task_id
left join task_history as ending
    on ending.task_id = beginning.task_id and ending.seq = beginning.seq + 1
where beginning.new_status = 'in_progress' and beginning.token is not null;

comment on view task_claims is
    'Claims: their agents, and their ends. outcome is null while one is live.';
comment on column task_claims.token is
    'The fencing token: the holder names it with every write, and a stale one is refused.';
comment on column task_claims.lease_expires_at is
    'After this moment the claim lapses. Null: it has ended.';
comment on column task_claims.note is 'The holder''s note at its end: the error of a failure.';

-- Files of implementation tasks that another task, in progress, locks: a row for each such file. A
-- pending task with such a row cannot be claimed.
create view file_conflicts as
select
    work.task_id,
    file.path,
    file.task_id as holder_id
from implementation_tasks as work
cross join lateral unnest(work.assigned_files) as assigned (path)
inner join file_locks as file on file.path = assigned.path
where file.task_id <> work.task_id;

comment on view file_conflicts is
    'Files of implementation tasks that another task in progress locks.';

-- Time passes here, and nowhere else: up to *at_most* tasks that are overdue, the longest first.
-- A task whose schedule has passed is due from now on. A claim whose lease is over lapses: its
-- task goes back to pending, or on to blocked or failed, as after any other attempt that failed
-- (apply_task_change).
--
-- Claims call it when the index shows something overdue, with a bound, so that no claim pays for a
-- crowd; and name their lanes when nothing else is left for them: then only tasks that they could
-- take count.
create function pass_time(
    at_most int,
    agents text[] default null,
    types text[] default null,
    only_key text default null
)
    returns int
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
as $$
declare
    passed int;
begin
    with lapsed as (
        select task.id
        from tasks as task
        where
            task.lease_expires_at <= now()
            and (
                agents is null
                or (
                    task.reserved_for = any(agents)
                    and (types is null or task.for_type = any(types))
                    and (only_key is null or task.key = only_key)
                    and task.open_dependencies = 0
                    and task.unhealthy_dependencies = 0
                    and task.workflow_is_healthy
                    and not task.is_paused
                    and task.failed_attempts + 1 < task.max_attempts
                )
            )
        order by task.lease_expires_at
        limit at_most
        for no key update skip locked
    ),

    due as (
        select task.id
        from tasks as task
        where
            not task.is_due
            and task.scheduled_at <= now()
            and (
                agents is null
                or (
                    task.reserved_for = any(agents)
                    and (types is null or task.for_type = any(types))
                    and (only_key is null or task.key = only_key)
                    and task.open_dependencies = 0
                    and task.unhealthy_dependencies = 0
                    and task.workflow_is_healthy
                    and not task.is_paused
                    and task.status = 'pending'
                )
            )
        order by task.scheduled_at
        limit at_most
        for no key update skip locked
    )

    update tasks as task
    set
        status = case
            when overdue.has_lapsed and task.status = 'in_progress' then 'pending'
            else task.status
        end,
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = 'the lease of ' || task.claim_agent || ' lapsed',
        status_outcome = case when task.claim_agent is not null then 'lapsed'::claim_outcome end
    from (
        -- A task in progress can have a schedule as well, and goes on when that is due.
        select
            found.id,
            bool_or(found.has_lapsed) as has_lapsed
        from (
            select
                lapsed.id,
                true as has_lapsed
            from lapsed
            union all
            select
                due.id,
                false
            from due
        ) as found
        group by found.id
    ) as overdue
    where task.id = overdue.id;
    get diagnostics passed = row_count;
    return passed;
end;
$$;

comment on function pass_time(int, text[], text[], text) is
    'Makes overdue schedules due and ends lapsed claims, up to a number; returns how many.';

-- Claims up to *at_most* tasks for an agent, in the order of the claim: effective priority, place,
-- creation, id. With *only_key* the task of that key, if it can be claimed by this agent.
--
-- Each lane (reserved for me or for nobody; of my type or of none) is one range of one index, read
-- in order; the lanes are merged, and nothing is read past the last task taken. Agents without a
-- type take every type: their lanes are ranges of a second index, and where nothing is reserved
-- for them there is only one, which needs no merging. The next task in line is locked unless
-- another session has it (skip locked), and read again if it changed in between. The planner may
-- neither sort nor scan here, so the plan is the same for one ready task and for a million, with
-- fresh statistics, stale ones and none.
--
-- A task found by id or key must be `is_ready is not false`: no index of ready tasks serves that
-- condition, while plans made when few tasks were ready read all of them for `is_ready`.
-- tests/costs/test_claim_plan.py
--
-- A task with files is taken with all of its files, or passed over, also if another claim is taking
-- one of them at this very moment (try_files). Under REPEATABLE READ and above the snapshot is
-- fixed, so files locked since are found only by that attempt.
--
-- So is a task of a concurrency key without a free slot, and with it those of the next two hundred
-- in line that have the same key leave it (functions/offer_slots.sql).
--
-- A claim without an agent is refused: it would begin tasks that no claim holds and nobody can end.
-- So is one without a number: it would take the whole queue.
--
-- A task without its second row, which was announced and never came, is given one, and claimed by
-- the next claim: else every claim would meet it first, and begin nothing.
--
-- *after* names a task claimed a moment ago: the search begins behind it. A reader with an old
-- snapshot keeps the index entries of claimed tasks alive, thousands of them at the head of the
-- queue; from there they cost nothing. More urgent tasks that arrived since are found by the next
-- claim without *after*; and where nothing is found behind it, the search begins at the head.
--
-- *request_id* makes a claim repeatable: while its claim is live, the same request gets it again.
-- Time passes first, where the index shows something overdue: two tasks a claim, and two more for
-- each further one. Their rows stay locked, so from there on a claim waits for no other row, and
-- the task of *only_key* is locked before them: a set of endings that holds it and waits for one of
-- them would deadlock with this.
create function claim_tasks(
    agent text,
    agent_type text,
    lease interval,
    at_most int,
    only_key text default null,
    after uuid default null,
    request_id uuid default null,
    is_new_request boolean default false
)
    returns setof shared.claimed_task
    language plpgsql
    rows 1
    security definer
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
as $$
declare
    anybody constant text := '';
    -- No priority is 0, so the place behind it is not looked at.
    bound_priority smallint := 0;
    bound_place int;
    bound_created timestamptz;
    bound_id uuid;
    is_overdue boolean;
    has_lanes boolean;
    is_second_look boolean;
    ids uuid[];
    any_bound boolean;
    refused uuid[] := '{}';
    has_slots boolean;
    wanted int;
    full_keys text[];
    found_full text[];
    met uuid[];
    got uuid[];
    taken uuid[];
    last_id uuid;
    lock_timeout text;
    begun int;
begin
    if (request_id is not null and not is_new_request) or agent is null or at_most is null then
        if agent is null then
            perform raise_refusal('agent', 'must be given');
        elsif at_most is null then
            perform raise_refusal('at_most', 'must be given');
        end if;
        return query select * from claim_once(agent, agent_type, lease, only_key, after, request_id);
        return;
    end if;
    if after is not null then
        select task.effective_priority, task.place, task.created_at, task.id
        into bound_priority, bound_place, bound_created, bound_id
        from tasks as task
        where task.id = after;
    end if;
    select
        exists (select from tasks as task where task.lease_expires_at <= now())
        or exists (
            select from tasks as task where not task.is_due and task.scheduled_at <= now()
        ),
        -- Where no key was ever used this costs the look at the size of a file, and no plan.
        pg_relation_size('concurrency_slots') > 0,
        claim_tasks.agent_type is not null
        or exists (
            select from tasks as task
            where
                task.is_ready
                and task.unhealthy_dependencies = 0
                and task.reserved_for = claim_tasks.agent
        )
    into is_overdue, has_slots, has_lanes;
    if is_overdue or has_slots then
        if only_key is not null then
            perform from tasks as task where task.key = only_key for no key update;
        end if;
        if is_overdue then
            perform pass_time(2 * at_most);
        end if;
        perform offer_slots(at_most) where has_slots;
        -- A lapsed task can be reserved for this agent.
        has_lanes := true;
    end if;

    loop
        if only_key is not null then
            select array_agg(candidate.id), bool_or(candidate.is_bound)
            into ids, any_bound
            from (
                select task.id, task.has_files or task.concurrency_key is not null as is_bound
                from tasks as task
                where
                    task.key = only_key
                    and (task.is_ready is not false or task.waits_for_slot)
                    and task.reserved_for = any(array[anybody, claim_tasks.agent])
                    and (not task.has_files or task.id <> all(refused))
                for no key update
            ) as candidate;
        elsif not has_lanes then
            select array_agg(candidate.id), bool_or(candidate.is_bound)
            into ids, any_bound
            from (
                select task.id, task.has_files or task.concurrency_key is not null as is_bound
                from tasks as task
                where
                    task.is_ready
                    and task.unhealthy_dependencies = 0
                    and task.reserved_for = anybody
                    and (task.effective_priority, task.place, task.created_at, task.id)
                    > (bound_priority, bound_place, bound_created, bound_id)
                    and (
                        not task.has_files
                        or (task.id <> all(refused) and not files_are_locked(task.id))
                    )
                    and (
                        task.concurrency_key is null
                        or full_keys is null
                        or task.concurrency_key <> all(full_keys)
                    )
                order by task.effective_priority, task.place, task.created_at, task.id
                limit coalesce(wanted, at_most)
                for no key update skip locked
            ) as candidate;
        elsif agent_type is null then
            select array_agg(candidate.id), bool_or(candidate.is_bound)
            into ids, any_bound
            from (
                select task.id, task.has_files or task.concurrency_key is not null as is_bound
                from (
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.unhealthy_dependencies = 0
                            and task.reserved_for = anybody
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    union all
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.unhealthy_dependencies = 0
                            and task.reserved_for = claim_tasks.agent
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    order by effective_priority, place, created_at, id
                ) as found
                inner join tasks as task
                    on
                        task.id = any(array[found.id])
                        and task.is_ready is not false
                        and task.reserved_for = any(array[anybody, claim_tasks.agent])
                order by found.effective_priority, found.place, found.created_at, found.id
                limit coalesce(wanted, at_most)
                for no key update of task skip locked
            ) as candidate;
        else
            select array_agg(candidate.id), bool_or(candidate.is_bound)
            into ids, any_bound
            from (
                select task.id, task.has_files or task.concurrency_key is not null as is_bound
                from (
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.reserved_for = anybody
                            and task.for_type = anybody
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    union all
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.reserved_for = anybody
                            and task.for_type = claim_tasks.agent_type
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    union all
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.reserved_for = claim_tasks.agent
                            and task.for_type = anybody
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    union all
                    (
                        select task.id, task.effective_priority, task.place, task.created_at
                        from tasks as task
                        where
                            task.is_ready
                            and task.reserved_for = claim_tasks.agent
                            and task.for_type = claim_tasks.agent_type
                            and (task.effective_priority, task.place, task.created_at, task.id)
                            > (bound_priority, bound_place, bound_created, bound_id)
                            and (
                                not task.has_files
                                or (task.id <> all(refused) and not files_are_locked(task.id))
                            )
                            and (
                                task.concurrency_key is null
                                or full_keys is null
                                or task.concurrency_key <> all(full_keys)
                            )
                        order by task.effective_priority, task.place, task.created_at, task.id
                    )
                    order by effective_priority, place, created_at, id
                ) as found
                inner join tasks as task
                    on
                        task.id = any(array[found.id])
                        and task.is_ready is not false
                        and task.reserved_for = any(array[anybody, claim_tasks.agent])
                        and task.for_type = any(array[anybody, claim_tasks.agent_type])
                order by found.effective_priority, found.place, found.created_at, found.id
                limit coalesce(wanted, at_most)
                for no key update of task skip locked
            ) as candidate;
        end if;

        -- Plain tasks need nothing but their rows.
        exit when ids is not null and not any_bound and taken is null;
        if any_bound or taken is not null then
            -- A concurrent claim of the same file or slot wins; then the next in line is tried.
            if any_bound then
                last_id := ids[cardinality(ids)];
                select
                    array_agg(line.id order by line.place) filter (where line.is_taken),
                    refused || array_agg(line.id) filter (where not line.is_taken),
                    array_agg(line.concurrency_key) filter (where line.is_taken is null),
                    array_agg(line.id) filter (where line.is_taken is null)
                into got, refused, found_full, met
                from (
                    select
                        task.id,
                        given.place,
                        task.concurrency_key::text as concurrency_key,
                        take_needs(task.id, task.concurrency_key, task.has_files) as is_taken
                    from unnest(ids) with ordinality as given (id, place)
                    inner join tasks as task on task.id = given.id
                ) as line;
                taken := taken || got;
                wanted := at_most - coalesce(cardinality(taken), 0);
                if found_full is not null then
                    full_keys := full_keys || found_full;
                    perform set_aside(of_full.key, of_full.id)
                    from unnest(found_full, met) as of_full (key, id);
                end if;
                if
                    wanted > 0
                    and only_key is null
                    and coalesce(cardinality(got), 0) < cardinality(ids)
                then
                    select task.effective_priority, task.place, task.created_at, task.id
                    into bound_priority, bound_place, bound_created, bound_id
                    from tasks as task
                    where task.id = last_id;
                    continue;
                end if;
                ids := null;
            end if;
            ids := taken || ids;
        end if;
        exit when ids is not null or is_second_look;
        is_second_look := true;
        exit when after is null and not is_overdue and not has_slots;
        bound_priority := 0;
        if is_overdue then
            perform pass_time(
                100,
                array[anybody, agent],
                case when agent_type is not null then array[anybody, agent_type] end,
                only_key
            );
        end if;
        perform offer_slots(100, 100) where has_slots;
    end loop;

    -- The claim of this request may be newer than the snapshot, and a heartbeat may hold it, for
    -- which the unique index would wait. All that this statement writes is locked.
    if is_new_request and current_setting('transaction_isolation') <> 'read committed' then
        lock_timeout := current_setting('lock_timeout');
        perform set_config('lock_timeout', '1ms', true);
    end if;
    return query
    update tasks as task
    set
        status = 'in_progress',
        status_agent = agent,
        claim_agent = agent,
        claim_request_id = request_id,
        lease_expires_at = now() + lease
    from task_details as details
    where task.id = any(ids) and details.task_id = task.id
    returning
        task.id,
        task.claim_token,
        task.claim_agent::text,
        now(),
        task.lease_expires_at::timestamptz,
        task.key::text,
        task.title::text,
        details.description,
        task.priority::smallint,
        task.effective_priority::smallint,
        task.agent_type::text,
        details.feature_id,
        details.parent_id,
        details.estimated_hours::numeric,
        details.requirements::jsonb,
        details.context::jsonb,
        details.metadata::jsonb,
        details.file_path::text,
        task.failed_attempts::int,
        task.place,
        task.created_at;
    get diagnostics begun = row_count;
    if begun < cardinality(ids) or lock_timeout is not null then
        perform add_details_of(ids) where begun < cardinality(ids);
        perform set_config('lock_timeout', lock_timeout, true) where lock_timeout is not null;
    end if;
end;
$$;

comment on function claim_tasks(text, text, interval, int, text, uuid, uuid, boolean) is
    'Claims up to a number of tasks for an agent, in the order of the claim.';

-- Waits for another transaction that answers the same request. Who calls it holds no row yet: the
-- unique index would have it wait as well, but with its rows locked, and for a heartbeat of the
-- request's claim too, which may want one of them.
create function await_request(request_id uuid)
    returns void
    language sql
    volatile
    set search_path from current
as $$
    select pg_advisory_xact_lock(
        hashtextextended(current_schema() || '.claim_request.' || request_id, 0)
    );
$$;

comment on function await_request(uuid) is
    'Waits until no other transaction answers this request of a claim.';

-- A repeatable claim: while the claim of a request is live, the same request returns it again.
-- Concurrent calls take turns. A snapshot that is older than the claim fails with 40001, and does
-- not wait for it (see functions/claim_tasks.sql).
create function claim_once(
    agent text, agent_type text, lease interval, only_key text, after uuid, request_id uuid
)
    returns setof shared.claimed_task
    language plpgsql
    rows 1
    set search_path from current
as $$
#variable_conflict use_variable
begin
    perform await_request(request_id);
    return query
    select
        task.id,
        task.claim_token,
        task.claim_agent::text,
        task.started_at,
        task.lease_expires_at::timestamptz,
        task.key::text,
        task.title::text,
        details.description,
        task.priority::smallint,
        task.effective_priority::smallint,
        task.agent_type::text,
        details.feature_id,
        details.parent_id,
        details.estimated_hours::numeric,
        details.requirements::jsonb,
        details.context::jsonb,
        details.metadata::jsonb,
        details.file_path::text,
        task.failed_attempts::int,
        task.place,
        task.created_at
    from tasks as task
    inner join task_details as details on details.task_id = task.id
    where task.claim_request_id = request_id;
    if found then
        return;
    end if;

    begin
        return query
        select *
        from claim_tasks(
            agent, agent_type, lease, 1, only_key, after, request_id, is_new_request => true
        );
    exception
        when unique_violation or lock_not_available then
            if current_setting('transaction_isolation') = 'read committed' then
                raise;
            end if;
            raise exception using
                errcode = 'serialization_failure',
                message = 'another transaction answers this request, or has its task locked',
                hint = 'Run the transaction again.';
    end;
end;
$$;

comment on function claim_once(text, text, interval, text, uuid, uuid) is
    'Claims a task for a request, or returns the live claim of that request.';

-- The row of task_details of a task, with a snapshot of its own: it also finds a task that another
-- transaction created while the statement waited.
create function details_of(of_task uuid)
    returns setof task_details
    language plpgsql
    rows 1
    set search_path from current
as $$
begin
    return query
    select details.* from task_details as details where details.task_id = of_task;
end;
$$;

comment on function details_of(uuid) is 'The details of a task, as of now.';

-- Returns whether a task has its second row: until then it is being made.
create function has_details(of_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return exists (select from task_details as details where details.task_id = of_task);
end;
$$;

comment on function has_details(uuid) is 'True if a task has its row of task_details.';

-- Refuses an edit of a task that was edited since the caller read it.
create function require_version(task_key text, present int, expected int)
    returns boolean
    language plpgsql
    set search_path from current
as $$
begin
    if present <> expected then
        raise exception using
            errcode = 'TD006',
            message = format('task %s has changed: it is at version %s', task_key, present),
            detail = format('TD006 version %s', present),
            hint = 'Read it again, and decide again.';
    end if;
    return true;
end;
$$;

comment on function require_version(text, int, int) is
    'True, or TD006 if a task is not at the expected version.';

-- The answer to a repeated ending, as after a lost answer: the claim of this token has ended with
-- this outcome. It takes a snapshot of its own, so it sees an ending that was in progress when the
-- statement began.
create function repeated_ending(of_task uuid, of_token bigint, of_outcome shared.claim_outcome)
    returns table (
        id uuid, key text, status shared.task_status, completed_at timestamptz
    )
    language plpgsql
    strict
    rows 1
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    select
        task.id,
        task.key::text,
        entry.new_status,
        case when entry.new_status = 'completed' then entry.created_at end
    from tasks as task
    inner join task_history as entry on entry.task_id = task.id
    where
        task.id = of_task
        and entry.token = of_token
        and entry.outcome = of_outcome;
end;
$$;

comment on function repeated_ending(uuid, bigint, shared.claim_outcome) is
    'The end of the claim of this token, if it ended with this outcome.';

-- The pause of a task after a failed attempt, by its own back-off: retry_delay, multiplied by
-- retry_factor for each attempt that failed before, up to max_retry_delay. A random part between
-- half and the whole is used, so that tasks which failed together do not come back together:
-- docs/decisions/0031-after-a-failure.md. A task without retry_delay waits as
-- long as the caller sets.
create function retry_pause(of_task uuid, failed_attempts int, otherwise interval)
    returns interval
    language sql
    volatile
    set search_path from current
as $$
    select
        case
            when details.retry_delay is null then otherwise
            else make_interval(
                secs => (0.5 + random() / 2) * least(
                    extract(epoch from details.retry_delay)::float8
                    -- Bounded, as a power of hundreds overflows.
                    * exp(
                        least(failed_attempts * ln(coalesce(details.retry_factor, 2)::float8), 100)
                    ),
                    extract(epoch from coalesce(details.max_retry_delay, interval '1 hour'))::float8,
                    extract(epoch from interval '3650 days')::float8
                )
            )
        end
    from task_details as details
    where details.task_id = of_task;
$$;

comment on function retry_pause(uuid, int, interval) is
    'The pause of a task after a failed attempt, by its own back-off or as the caller sets.';

-- Completes a task as the holder of its live claim and claims the next one, in one round trip and
-- one commit. They are two statements, so the claim sees what the completion unblocked. A stale
-- token changes nothing, claims nothing, and returns no row.
create function complete_and_claim(
    of_task uuid,
    of_token bigint,
    with_note text,
    for_agent text,
    for_agent_type text,
    for_lease interval,
    after uuid default null,
    request_id uuid default null
)
    returns table (
        id uuid,
        key text,
        status shared.task_status,
        completed_at timestamptz,
        next_claim shared.claimed_task
    )
    language plpgsql
    rows 1
    security definer
    set search_path from current
as $$
#variable_conflict use_column
begin
    if request_id is not null then
        perform await_request(request_id);
    end if;
    update tasks as task
    set
        status_ending = 'completed',
        error_message = null,
        status_agent = task.claim_agent,
        status_note = with_note,
        status_outcome = 'completed'
    where
        task.id = of_task
        and task.claim_token = of_token
        and task.claim_agent is not null
    returning task.id, task.key, task.status, task.completed_at
    into id, key, status, completed_at;
    if not found then
        select repeated.id, repeated.key, repeated.status, repeated.completed_at
        into id, key, status, completed_at
        from repeated_ending(of_task, of_token, 'completed') as repeated;
        if not found then
            return;
        end if;
    end if;

    select claimed.*
    into next_claim
    from claim_tasks(
        for_agent, for_agent_type, for_lease, 1, after => after, request_id => request_id
    ) as claimed;
    return next;
end;
$$;

comment on function complete_and_claim(
    uuid, bigint, text, text, text, interval, uuid, uuid
) is
    'Completes a task and claims the next one for an agent.';

-- Tasks that can be claimed now: the one definition, which task_blocking_reasons must agree with
-- (`taskdb doctor` compares them). Reservations (assigned_agent) and agent types are for the claim
-- to match.
--
-- The other branches are overdue: their schedule has passed, or the lease of their claim. Reading
-- changes nothing; the next claim makes time pass first (pass_time), and then takes them like any
-- other. Tasks that a lapse leaves blocked or failed are not among them.
create view ready_tasks as
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.place,
    task.created_at,
    task.agent_type,
    task.assigned_agent
from tasks as task
where
    task.is_ready
    and (
        not task.has_files
        or not exists (select from file_conflicts as clash where clash.task_id = task.id)
    )
    and (
        task.concurrency_key is null
        or not exists (
            select from concurrency_keys as used
            where used.key = task.concurrency_key and used.running >= used.at_most
        )
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.place,
    task.created_at,
    task.agent_type,
    task.assigned_agent
from tasks as task
where
    task.waits_for_slot
    and (
        not task.has_files
        or not exists (select from file_conflicts as clash where clash.task_id = task.id)
    )
    and (
        task.concurrency_key is null
        or not exists (
            select from concurrency_keys as used
            where used.key = task.concurrency_key and used.running >= used.at_most
        )
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.place,
    task.created_at,
    task.agent_type,
    task.assigned_agent
from tasks as task
where
    not task.is_due
    and task.scheduled_at <= now()
    and task.status = 'pending'
    and task.unhealthy_dependencies = 0
    and task.workflow_is_healthy
    and not task.is_paused
    and (
        not task.has_files
        or not exists (select from file_conflicts as clash where clash.task_id = task.id)
    )
    and (
        task.concurrency_key is null
        or not exists (
            select from concurrency_keys as used
            where used.key = task.concurrency_key and used.running >= used.at_most
        )
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.place,
    task.created_at,
    task.agent_type,
    task.assigned_agent
from tasks as task
where
    task.lease_expires_at <= now()
    and task.failed_attempts + 1 < task.max_attempts
    and task.open_dependencies = 0
    and task.unhealthy_dependencies = 0
    and task.workflow_is_healthy
    and not task.is_paused
    and (task.scheduled_at is null or task.scheduled_at <= now());

comment on view ready_tasks is
    'Tasks that can be claimed now: pending, due and healthy; or overdue, so that the next claim '
    'makes them so.';

-- Returns whether the next claim can take a task. A function, so that a query which asks it of a
-- few tasks does not open the plan of the view, which is most of what such a query costs.
create function is_claimable(of_task uuid)
    returns boolean
    language plpgsql
    stable
    set search_path from current
as $$
begin
    return exists (select from ready_tasks as ready where ready.id = of_task);
end;
$$;

comment on function is_claimable(uuid) is 'True if ready_tasks has the task.';

-- The blocked tasks, each with the keys of its open dependencies.
create view blocked_tasks as
select
    task.id,
    task.key,
    task.title,
    task.effective_priority,
    task.place,
    task.created_at,
    task.blocked_reason,
    task.blocked_at,
    task.open_dependencies,
    array(
        select blocker.key
        from task_dependencies as edge
        inner join tasks as blocker on blocker.id = edge.depends_on_id
        where
            edge.task_id = task.id
            and not edge.is_satisfied
        order by blocker.key
    ) as open_blockers
from tasks as task
-- None is ready: so the index has them in the order of the claim.
where task.status = 'blocked' and not task.is_ready;

comment on view blocked_tasks is 'Blocked tasks, each with the keys of the tasks it waits for.';
comment on column blocked_tasks.open_blockers is 'The keys of its unsatisfied dependencies.';

-- The reasons why a task can't be claimed now, a row for each; no row, exactly if ready_tasks has
-- it. A dead dependency can never be satisfied by itself (is_dead).
create view task_blocking_reasons as
select
    task.id as task_id,
    'finished' as reason,
    null::uuid as blocker_id,
    null::text collate "C" as blocker_key,
    false as dead,
    'it is ' || task.status::text as detail
from tasks as task
where task.status in ('completed', 'failed', 'cancelled', 'archived')
union all
select
    task.id,
    'in_review',
    null,
    null,
    false,
    'its work is under review'
from tasks as task
where task.status = 'in_review'
union all
select
    task.id,
    case when task.claim_agent is null then 'started_by_hand' else 'claimed' end,
    null,
    null,
    false,
    case
        when task.claim_agent is not null and task.lease_expires_at is not null
            then 'claimed by ' || task.claim_agent || ' until ' || task.lease_expires_at::text
        else 'it was started without a claim'
    end
from tasks as task
where
    task.status = 'in_progress'
    and (task.claim_agent is null or task.lease_expires_at > now())
union all
select
    task.id,
    'overdue',
    null,
    null,
    false,
    'the lease of ' || task.claim_agent || ' lapsed at ' || task.lease_expires_at::text
    || '; the next claim ends it'
    || case
        when task.failed_attempts + 1 >= task.max_attempts
            then ', and was the last of ' || task.max_attempts
        else ''
    end
from tasks as task
where
    task.status = 'in_progress'
    and task.claim_agent is not null
    and task.lease_expires_at is not null
    and task.lease_expires_at <= now()
    and (
        task.failed_attempts + 1 >= task.max_attempts
        or task.open_dependencies > 0
        or task.unhealthy_dependencies > 0
        or not task.workflow_is_healthy
        or task.is_paused
        or task.scheduled_at > now()
    )
union all
select
    task.id,
    'paused',
    null,
    null,
    false,
    'claiming is paused for it'
from tasks as task
where
    task.is_paused
    and task.status in ('pending', 'blocked')
union all
select
    task.id,
    'on_hold',
    null,
    null,
    false,
    task.blocked_reason
from tasks as task
where task.blocked_reason is not null
union all
select
    task.id,
    'dependency',
    blocker.id,
    blocker.key,
    is_dead(edge.dependency_type, blocker.status, blocker.completed_at),
    replace(edge.dependency_type::text, '_', ' ') || ' ' || blocker.key || ', which is '
    || blocker.status::text
from tasks as task
inner join task_dependencies as edge on edge.task_id = task.id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where
    task.status in ('pending', 'blocked')
    and not edge.is_satisfied
union all
select
    task.id,
    'concurrency_key',
    holder.id,
    holder.key,
    false,
    'of the concurrency key ' || task.concurrency_key || ' at most ' || used.at_most::text
    || case when used.at_most = 1 then ' is' else ' are' end
    || ' in progress at a time, as ' || holder.key || ' is now'
from tasks as task
inner join concurrency_keys as used
    on used.key = task.concurrency_key and used.running >= used.at_most
inner join concurrency_slots as slot on slot.key = task.concurrency_key
inner join tasks as holder on holder.id = slot.task_id
where task.status in ('pending', 'blocked')
union all
select
    task.id,
    'scheduled',
    null,
    null,
    false,
    'not before ' || task.scheduled_at::text
from tasks as task
where
    task.status in ('pending', 'blocked')
    and not task.is_due
    and task.scheduled_at > now()
union all
select
    task.id,
    'external',
    null,
    null,
    false,
    dependency.service || coalesce(' at ' || dependency.resource, '') || ' is unhealthy'
    || coalesce(': ' || dependency.error_message, '')
from external_dependencies as dependency
inner join tasks as task on task.id = dependency.task_id
where
    task.status in ('pending', 'blocked')
    and dependency.is_required
    and dependency.health = 'unhealthy'
union all
select
    task.id,
    'external',
    null,
    null,
    false,
    dependency.service || coalesce(' at ' || dependency.resource, '')
    || ', which its workflow needs, is unhealthy'
    || coalesce(': ' || dependency.error_message, '')
from external_dependencies as dependency
inner join tasks as task on task.workflow_id = dependency.workflow_id
where
    task.status in ('pending', 'blocked')
    and dependency.is_required
    and dependency.health = 'unhealthy'
union all
select
    task.id,
    'files',
    holder.id,
    holder.key,
    false,
    string_agg(clash.path, ', ' order by clash.path)
    || case when count(*) > 1 then ' are' else ' is' end
    || ' locked by ' || holder.key
from tasks as task
inner join file_conflicts as clash on clash.task_id = task.id
inner join tasks as holder on holder.id = clash.holder_id
where task.status in ('pending', 'blocked')
group by task.id, holder.id, holder.key;

comment on view task_blocking_reasons is
    'The reasons why a task cannot be claimed now, a row for each.';
comment on column task_blocking_reasons.reason is
    'finished, in_review, claimed, started_by_hand, overdue, paused, on_hold, dependency, '
    'concurrency_key, scheduled, external, files.';
comment on column task_blocking_reasons.dead is 'It will not go away by itself.';

-- The key of a task for whose sake this one can never start, or null: it waits for that one,
-- directly or through others that have not begun, by a dependency that is dead. Each task is
-- visited once.
create function dead_end(of_task uuid)
    returns text
    language sql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive waiting (id) as (
        select task.id
        from tasks as task
        where task.id = of_task and task.status in ('pending', 'blocked')
        union
        select blocker.id
        from waiting
        cross join lateral (
            select edge.depends_on_id
            from task_dependencies as edge
            where edge.task_id = waiting.id and not edge.is_satisfied
            offset 0
        ) as edge
        cross join lateral (
            select task.id, task.status
            from tasks as task
            where task.id = edge.depends_on_id
            offset 0
        ) as blocker
        where blocker.status in ('pending', 'blocked')
    )

    select min(blocker.key)
    from waiting
    cross join lateral (
        select task.key
        from task_dependencies as edge
        inner join tasks as task on task.id = edge.depends_on_id
        where
            edge.task_id = waiting.id
            and not edge.is_satisfied
            and is_dead(edge.dependency_type, task.status, task.completed_at)
        offset 0
    ) as blocker;
$$;

comment on function dead_end(uuid) is
    'The key of the task for whose sake this one can never start; null: it can.';

-- Tasks that went on although a dependency is open again, or was added later.
create view ran_early as
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.open_dependencies
from tasks as task
where task.open_dependencies > 0 and task.status not in ('pending', 'blocked');

comment on view ran_early is
    'Tasks in progress, in review or finished while a dependency of theirs is open.';

-- The exact progress of each feature.
create view feature_progress as
select
    feature.id as feature_id,
    feature.epic_id,
    feature.key,
    count(task.id) as task_count,
    count(task.id) filter (where task.status <> 'cancelled') as counted_count,
    count(task.id) filter (
        where task.status in ('completed', 'archived') and task.completed_at is not null
    ) as completed_count,
    coalesce(
        round(
            100.0
            * count(task.id) filter (
                where task.status in ('completed', 'archived') and task.completed_at is not null
            )
            / nullif(count(task.id) filter (where task.status <> 'cancelled'), 0),
            2
        ),
        0
    ) as progress_pct
from features as feature
left join task_details as details on details.feature_id = feature.id
left join tasks as task on task.id = details.task_id
group by feature.id, feature.epic_id, feature.key;

comment on view feature_progress is
    'Progress of features: 100 x completed / not cancelled; without such tasks, 0.';
comment on column feature_progress.counted_count is 'Its tasks that are not cancelled.';
comment on column feature_progress.completed_count is
    'Its tasks that are completed, or archived after completion.';

-- The progress of each epic: the mean of its features, and the figure weighted by tasks.
create view epic_progress as
select
    epic.id as epic_id,
    epic.key,
    count(feature.feature_id) as feature_count,
    coalesce(sum(feature.task_count), 0)::bigint as task_count,
    coalesce(sum(feature.completed_count), 0)::bigint as completed_count,
    coalesce(round(avg(feature.progress_pct), 2), 0) as progress_pct,
    coalesce(
        round(100.0 * sum(feature.completed_count) / nullif(sum(feature.counted_count), 0), 2), 0
    ) as weighted_progress_pct
from epics as epic
left join feature_progress as feature on feature.epic_id = epic.id
group by epic.id, epic.key;

comment on view epic_progress is 'Progress of epics: the mean of their features''.';
comment on column epic_progress.weighted_progress_pct is
    'The same over all tasks of the epic: 100 x completed / not cancelled.';

-- The hours that tasks of each agent type take: plan_schedule assumes them for tasks without an
-- estimate. Tasks without a type are a type of their own.
create view task_hours_by_type as
select
    task.agent_type,
    count(*) as finished_count,
    round(
        cast(percentile_cont(0.5) within group (order by spent.hours) as numeric), 2
    ) as median_hours
from full_tasks as task
cross join lateral (
    select
        coalesce(
            cast(task.actual_hours as double precision),
            cast(
                extract(epoch from task.completed_at - task.started_at) / 3600
                as double precision
            )
        ) as hours
) as spent
where
    task.status in ('completed', 'archived')
    and task.completed_at is not null
    and spent.hours >= 0
group by task.agent_type;

comment on view task_hours_by_type is
    'The hours that completed tasks of each agent type took: actual_hours, else from started_at '
    'to completed_at. Tasks with neither, or with a completion before the start, do not count.';
comment on column task_hours_by_type.agent_type is 'Null: the tasks without one.';
comment on column task_hours_by_type.median_hours is 'The middle one of their durations.';

-- The earliest start and end of each open task, and its slack, the delay that does not
-- make the whole later: the critical path method (J. E. Kelley and M. R. Walker,
-- "Critical-path planning and scheduling", 1959) over the dependency graph.
--
-- Assumptions:
--   scope     the tasks to be finished; the open ones among them take part, and so do their
--             open blockers outside, since these come first all the same. Finished tasks and
--             satisfied edges take no part.
--   hours     a task's estimated_hours, else the median of its agent type
--             (task_hours_by_type), else one hour. A task in progress counts whole.
--   agents    as many as there is work for. Hours are of work: neither nights nor
--             scheduled_at count, nor which agents are free.
--
-- A task is stuck if it waits, directly or not, for one that failed or was abandoned: its
-- hours hold only once that is repaired.
--
-- graph_rank is a topological order of unsatisfied edges: one pass forwards and one
-- backwards, over arrays in that order, are linear in tasks and edges, whatever the depth.
create function plan_schedule(scope uuid[])
    returns table (
        task_id uuid,
        in_scope boolean,
        stuck boolean,
        hours numeric,
        hours_from text,
        wave int,
        earliest_start_hours numeric,
        earliest_finish_hours numeric,
        latest_start_hours numeric,
        latest_finish_hours numeric,
        slack_hours numeric,
        path_step int
    )
    language plpgsql
    stable
    rows 1000
    set search_path from current
as $$
declare
    medians jsonb;
    members uuid[];
    ids uuid[];
    size int;
    -- Durations and moments are hundredths of an hour from now, so that sums are exact.
    durations bigint[];
    origins text[];
    scoped boolean[];
    stuck_ones boolean[];
    finishes bigint[];
    late_finishes bigint[];
    waves int[];
    steps int[];
    -- The blocker that a task waits for longest.
    longest int[];
    -- The edges as compressed rows: task n's blockers are those from first[n] up to, but not
    -- with, first[n + 1]; null where the dependency is dead.
    waiters int[];
    blockers int[];
    blocker_ids uuid[];
    first int[];
    positions int[];
    n int;
    m int;
    last int;
    begins bigint;
    level int;
    ending int;
    length int;
begin
    select jsonb_object_agg(coalesce(typical.agent_type, ''), typical.median_hours)
    into medians
    from task_hours_by_type as typical;

    -- Most scopes have no blocker outside: the walk out of the scope runs only if there is one.
    members := scope;
    loop
        select
            array_agg(task.id order by task.graph_rank, task.id),
            array_agg(
                (coalesce(task.estimated_hours, task.median_hours, 1) * 100)::bigint
                order by task.graph_rank, task.id
            ),
            array_agg(
                case
                    when task.estimated_hours is not null then 'estimate'
                    when task.median_hours is not null then 'median'
                    else 'default'
                end
                order by task.graph_rank, task.id
            )
        into ids, durations, origins
        from unnest(members) as member (id)
        cross join lateral (
            select
                other.id,
                other.graph_rank,
                details.estimated_hours,
                (medians ->> coalesce(other.agent_type, ''))::numeric as median_hours
            from tasks as other
            inner join task_details as details on details.task_id = other.id
            where
                other.id = member.id
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as task;
        if ids is null then
            return;
        end if;

        select
            array_agg(blocker.waiting), array_agg(case when not blocker.dead then blocker.blocker_id end)
        into waiters, blocker_ids
        from open_task_blockers(ids) as blocker;
        blockers := positions_of(blocker_ids, ids);
        exit when not exists (
            select
            from unnest(blocker_ids, blockers) as blocker (id, position)
            where blocker.id is not null and blocker.position is null
        );
        select array_agg(region.id) into members from open_task_region(ids) as region (id);
    end loop;
    size := cardinality(ids);

    first := array_fill(1, array[size + 1]);
    for i in 1..coalesce(cardinality(waiters), 0) loop
        first[waiters[i] + 1] := i + 1;
    end loop;
    for i in 1..size loop
        first[i + 1] := greatest(first[i + 1], first[i]);
    end loop;
    scoped := array_fill(false, array[size]);
    positions := positions_of(scope, ids);
    foreach n in array positions loop
        if n is not null then
            scoped[n] := true;
        end if;
    end loop;

    stuck_ones := array_fill(false, array[size]);
    finishes := array_fill(0::bigint, array[size]);
    waves := array_fill(1, array[size]);
    longest := array_fill(null::int, array[size]);
    for n in 1..size loop
        begins := 0;
        level := 1;
        last := null;
        for i in first[n]..first[n + 1] - 1 loop
            m := blockers[i];
            if m is null then
                stuck_ones[n] := true;
                continue;
            end if;
            if stuck_ones[m] then
                stuck_ones[n] := true;
            end if;
            if waves[m] >= level then
                level := waves[m] + 1;
            end if;
            if
                last is null
                or finishes[m] > begins
                or (finishes[m] = begins and (waves[m], last) > (waves[last], m))
            then
                begins := finishes[m];
                last := m;
            end if;
        end loop;
        waves[n] := level;
        longest[n] := last;
        finishes[n] := begins + durations[n];
        if
            scoped[n]
            and (
                ending is null
                or (finishes[n], waves[n]) > (finishes[ending], waves[ending])
            )
        then
            ending := n;
        end if;
    end loop;

    late_finishes := array_fill(finishes[ending], array[size]);
    for n in reverse size..1 loop
        begins := late_finishes[n] - durations[n];
        for i in first[n]..first[n + 1] - 1 loop
            m := blockers[i];
            if late_finishes[m] > begins then
                late_finishes[m] := begins;
            end if;
        end loop;
    end loop;

    -- One longest path, backwards from a task that ends last to one without blockers. Tasks that
    -- take no time are on it too: of equally long paths the one of more waves.
    steps := array_fill(null::int, array[size]);
    length := 0;
    n := ending;
    while n is not null loop
        length := length + 1;
        n := longest[n];
    end loop;
    n := ending;
    while n is not null loop
        steps[n] := length;
        length := length - 1;
        n := longest[n];
    end loop;

    return query
    select
        planned.id,
        planned.scoped,
        planned.stuck,
        planned.duration * 0.01,
        planned.origin,
        planned.wave,
        (planned.finish - planned.duration) * 0.01,
        planned.finish * 0.01,
        (planned.late_finish - planned.duration) * 0.01,
        planned.late_finish * 0.01,
        (planned.late_finish - planned.finish) * 0.01,
        planned.step
    from unnest(
        ids, scoped, stuck_ones, durations, origins, waves, finishes, late_finishes, steps
    ) as planned (id, scoped, stuck, duration, origin, wave, finish, late_finish, step);
end;
$$;

comment on function plan_schedule(uuid[]) is
    'Critical path method over the open tasks among these and their open blockers: earliest and '
    'latest start and finish, in hours of work from now with enough agents; slack is the delay '
    'of a task that does not make the whole later; wave 1 waits for nothing, wave n for a task '
    'of wave n - 1; path_step numbers the tasks of one longest path. hours are estimated_hours, '
    'else the median of the agent type, else one (hours_from: estimate, median, default). stuck: '
    'it waits, directly or not, for a task that failed or was abandoned.';

-- The number of open tasks that wait for this one, directly or not. Each is visited once; a
-- satisfied edge is not followed, so nothing waits for a completed task.
create function task_unblocks(blocker uuid)
    returns bigint
    language sql
    stable
    set search_path from current
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
    set enable_material = off
    set enable_seqscan = off
    set jit = off
as $$
    with recursive waiting (id, status, completed_at) as (
        select task.id, task.status, task.completed_at
        from tasks as task
        where task.id = blocker
        union
        select dependent.id, dependent.status, dependent.completed_at
        from waiting
        cross join lateral (
            select other.id, other.status, other.completed_at
            from task_dependencies as edge
            inner join tasks as other on other.id = edge.task_id
            where
                edge.depends_on_id = waiting.id
                and not is_satisfied(edge.dependency_type, waiting.status, waiting.completed_at)
                and other.status in ('pending', 'blocked', 'in_progress', 'in_review')
            offset 0
        ) as dependent
    )

    select count(*) - 1
    from waiting;
$$;

comment on function task_unblocks(uuid) is
    'The number of open tasks that wait for this one, directly or not: each counts once.';

-- The steps that can begin now, and whether the condition of each holds: of running executions,
-- those whose needs are all done, and those due for a retry. A step is done for those that need it
-- when it is completed, or failed with on_error = continue.
--
-- A step whose condition does not hold is skipped, and with it, as in GitHub Actions, all that need
-- it, directly or not: queries/executions.sql, next_steps. A path that is no predicate, or that
-- cannot be followed, does not hold.
create view startable_steps as
select
    step.execution_id,
    step.key,
    step.status,
    step.attempt,
    step.condition is null or coalesce(execution.context @@ step.condition, false)
        as condition_holds
from execution_steps as step
inner join workflow_executions as execution on execution.id = step.execution_id
where
    execution.status = 'running'
    and step.status = 'pending'
    and not exists (
        select from execution_steps as need
        where
            need.execution_id = step.execution_id
            and need.key = any(step.needs)
            and need.status <> 'completed'
            and (need.status <> 'failed' or need.on_error <> 'continue')
    )
union all
select
    step.execution_id,
    step.key,
    step.status,
    step.attempt,
    true
from execution_steps as step
inner join workflow_executions as execution on execution.id = step.execution_id
where
    execution.status = 'running'
    and step.status = 'retrying'
    and step.retry_at <= now();

comment on view startable_steps is
    'Steps of running executions that wait for nothing more, or are due to be tried again.';
comment on column startable_steps.condition_holds is
    'False: the step is to be skipped. It was begun before: always true.';

-- Statistics of the executions of each workflow. A view is exact whatever runs at the same time,
-- and a counter in the workflow's row would have its executions wait for each other; nor do
-- percentiles follow from counters. docs/decisions/0012-workflow-statistics.md has the numbers.
create view workflow_statistics as
select
    workflow.id as workflow_id,
    workflow.name,
    count(execution.id) as execution_count,
    count(*) filter (where execution.status = 'running') as running_count,
    count(*) filter (where execution.status = 'completed') as completed_count,
    count(*) filter (where execution.status = 'failed') as failed_count,
    count(*) filter (where execution.status = 'cancelled') as cancelled_count,
    round(
        100.0
        * count(*) filter (where execution.status = 'completed')
        / nullif(count(*) filter (where execution.status in ('completed', 'failed')), 0),
        2
    ) as success_pct,
    avg(execution.ended_at - execution.started_at) filter (
        where execution.status = 'completed'
    ) as average_duration,
    percentile_cont(0.5) within group (order by execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as median_duration,
    percentile_cont(0.95) within group (order by execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as p95_duration,
    max(execution.started_at) as last_started_at
from workflows as workflow
left join workflow_executions as execution on execution.workflow_id = workflow.id
group by workflow.id, workflow.name;

comment on view workflow_statistics is 'Exact statistics of the executions of each workflow.';
comment on column workflow_statistics.success_pct is
    '100 x completed / (completed + failed); null before the first such end.';
comment on column workflow_statistics.average_duration is
    'The mean duration of completed executions.';

-- The tasks that a search ranks: all matches, up to *bound*; of more, about the newest *bound*.
-- Ranking reads each document, so a word in half the tasks would cost a second in a million; and
-- nobody reads beyond the first pages.
--
-- Ids grow with time, so the newest are the last by primary key. Three steps, each of bounded
-- cost, and each only where it pays (docs/decisions/0014-insight.md has the figures):
--   1. Look how many of the newest 1,000 tasks match.
--   2. If it is one in twenty or more, collect from the newest on, through 40 x bound tasks at
--      most. A full list is the exact newest; GIN would first gather every match.
--   3. Else ask GIN. Up to bound: all. Up to 10 x bound: the newest of all. Of still more,
--      the newest of those that are found first.
create function search_candidates(query tsquery, bound int)
    returns setof uuid
    language plpgsql
    stable
    rows 1000
    set search_path from current
    set enable_seqscan = off
    set jit = off
    -- A plan made for the words would rely on the statistics, which have none for phrases.
    set plan_cache_mode = force_generic_plan
as $$
declare
    frequency bigint;
    ids uuid[];
begin
    select count(*)
    into frequency
    from (
        select search.document
        from task_search as search
        order by search.task_id desc
        limit 1000
    ) as newest
    where newest.document @@ query;

    if frequency >= 50 then
        select array_agg(found.task_id)
        into ids
        from (
            select newest.task_id
            from (
                select search.task_id, search.document
                from task_search as search
                order by search.task_id desc
                limit 40 * bound
            ) as newest
            where newest.document @@ query
            limit bound
        ) as found;
        if cardinality(ids) = bound then
            return query select newest.id from unnest(ids) as newest (id);
            return;
        end if;
    end if;

    return query
    select found.task_id
    from (
        select search.task_id
        from task_search as search
        where search.document @@ query
        limit 10 * bound
    ) as found
    order by found.task_id desc
    limit bound;
end;
$$;

comment on function search_candidates(tsquery, int) is
    'The tasks that match, if no more than bound do; of more, about the newest bound.';

-- The history of each task as stays in a status, in order: imported rows first, by their own
-- times, then the recorded ones by their numbers.
--
-- Clocks may be wrong, and imported times tie or run backwards. A row that claims to be earlier
-- than one before it counts as at that one's moment, and is flagged skewed; so no stay is negative,
-- and stays add up to the time between the first and the last. A file may be older than its first
-- import: earlier times that a later import brings move the creation back.
--
-- The lateral part lets a query that names tasks read only their rows.
create view task_stays as
select
    task.id as task_id,
    stay.position,
    stay.previous_status,
    stay.status,
    stay.agent,
    stay.note,
    stay.is_transition,
    stay.is_done,
    stay.entered_at,
    stay.left_at,
    stay.skewed
from tasks as task
cross join lateral (
    select
        stay.position,
        lag(stay.status) over in_order as previous_status,
        stay.status,
        stay.agent,
        stay.note,
        stay.is_transition,
        -- The last stay so far that was not in the archive: twice its number, and one more
        -- if it was completed.
        max(2 * stay.position + cast(stay.status = 'completed' as int))
            filter (where stay.status <> 'archived')
            over in_order
        % 2 = 1 as is_done,
        stay.entered_at,
        lead(stay.entered_at) over in_order as left_at,
        stay.stated_at < stay.entered_at as skewed
    from (
        select
            row_number() over in_order as position,
            reported.status,
            reported.agent,
            reported.note,
            reported.is_transition,
            reported.stated_at,
            max(reported.stated_at) over in_order as entered_at
        from (
            select
                entry.seq,
                entry.new_status as status,
                entry.agent,
                entry.note,
                entry.old_status is not null as is_transition,
                case
                    when entry.seq = 1
                        then least(
                            entry.created_at,
                            min(entry.created_at)
                                filter (where entry.seq > 1 and entry.source is not null)
                                over ()
                        )
                    else entry.created_at
                end as stated_at
            from task_history as entry
            where entry.task_id = task.id
        ) as reported
        window in_order as (
            order by greatest(reported.seq, 0), reported.stated_at, reported.seq desc
        )
    ) as stay
    window in_order as (order by stay.position)
) as stay;

comment on view task_stays is
    'The history of each task as stays in a status, in order: imported rows by their times, '
    'then the recorded ones by their numbers.';
comment on column task_stays.position is 'Counts a task''s stays from 1.';
comment on column task_stays.previous_status is 'Previous status; null for the first stay.';
comment on column task_stays.is_transition is
    'True: a transition led to it. False: the task was created in it, or an importer found it so.';
comment on column task_stays.is_done is
    'Its work counts as done: completed, or archived after that.';
comment on column task_stays.entered_at is
    'The start of the stay: the row''s own time, or that of a row before it, if that is later.';
comment on column task_stays.left_at is 'The start of the next stay; null: it lasts.';
comment on column task_stays.skewed is 'The row claims to be earlier than one before it.';

-- The moments at which each task was created, started and completed, from its history alone, but
-- for one thing: creation is tasks.created_at, which an importer knows from the other tracker,
-- whose history seldom begins there.
--
--   lead time    from when it came to when it was last completed
--   cycle time   from when it first went into progress to the same
--
-- Only a transition completes: a task that was made or imported as completed has neither. If times
-- run backwards, or a transition precedes its creation, it is skewed; figures over many tasks
-- leave its times out, and say how many these are.
create view task_flow as
select
    task.id as task_id,
    task.agent_type,
    flow.status,
    least(task.created_at, flow.first_at) as came_at,
    flow.started_at,
    case when flow.is_done then flow.done_at end as done_at,
    case when flow.is_done then flow.done_by end as done_by,
    case when flow.is_done then flow.done_at - least(task.created_at, flow.first_at) end
        as lead_time,
    case when flow.is_done then flow.done_at - flow.started_at end as cycle_time,
    flow.reopened_count,
    flow.skewed
    or (flow.changed_at is not null and flow.changed_at < task.created_at) as skewed
from tasks as task
cross join lateral (
    select
        min(stay.entered_at) as first_at,
        min(stay.entered_at) filter (where stay.is_transition) as changed_at,
        -- A task that an importer found in progress after its history ended is no second start.
        min(stay.entered_at) filter (
            where stay.status = 'in_progress' and (stay.is_transition or stay.position = 1)
        ) as started_at,
        max(stay.entered_at) filter (
            where stay.status = 'completed'
                and stay.is_transition
                and stay.previous_status is distinct from 'completed'
        ) as done_at,
        (array_agg(stay.agent order by stay.position desc) filter (
            where stay.status = 'completed'
                and stay.is_transition
                and stay.previous_status is distinct from 'completed'
        ))[1] as done_by,
        (array_agg(stay.status order by stay.position desc))[1] as status,
        (array_agg(stay.is_done order by stay.position desc))[1] as is_done,
        count(*) filter (
            where stay.is_transition
                and stay.previous_status in ('completed', 'failed', 'cancelled', 'archived')
                and stay.status in ('pending', 'blocked', 'in_progress', 'in_review')
        ) as reopened_count,
        bool_or(stay.skewed) as skewed
    from task_stays as stay
    where stay.task_id = task.id
) as flow;

comment on view task_flow is
    'The moments at which each task was created, started and completed: lead and cycle times, '
    'from its history.';
comment on column task_flow.came_at is 'tasks.created_at, or its first row if that is earlier.';
comment on column task_flow.started_at is 'The moment at which it first went into progress.';
comment on column task_flow.done_at is
    'The moment of its last completion; null if it is not completed, or was created so.';
comment on column task_flow.done_by is 'The agent that completed it.';
comment on column task_flow.lead_time is 'From came_at to done_at.';
comment on column task_flow.cycle_time is
    'From started_at to done_at; null if it was completed without being in progress.';
comment on column task_flow.reopened_count is
    'The number of transitions from a finished status back to an open one.';
comment on column task_flow.skewed is
    'Times of its history run backwards, or a transition precedes its creation.';

-- The progress of each specification, and its hours, from its tasks. Cancelled ones don't count.
-- For one specification, only its own tasks are read.
create view spec_progress as
select
    spec.id as spec_id,
    spec.key,
    spec.title,
    spec.status,
    spec.total_phases,
    task_sums.task_count,
    task_sums.counted_count,
    task_sums.completed_count,
    task_sums.in_progress_count,
    task_sums.merged_count,
    coalesce(
        round(100.0 * task_sums.completed_count / nullif(task_sums.counted_count, 0), 2), 0
    ) as progress_pct,
    spec.estimated_hours,
    phase_sums.hours as phase_hours,
    task_sums.estimated_hours as task_estimated_hours,
    spec.actual_hours,
    task_sums.actual_hours as task_actual_hours
from technical_specs as spec
cross join lateral (
    select
        count(*) as task_count,
        count(*) filter (where task.status <> 'cancelled') as counted_count,
        count(*) filter (
            where task.status in ('completed', 'archived') and task.completed_at is not null
        ) as completed_count,
        count(*) filter (where task.status = 'in_progress') as in_progress_count,
        count(*) filter (where work.merged_at is not null) as merged_count,
        sum(task.estimated_hours) filter (where task.status <> 'cancelled') as estimated_hours,
        sum(task.actual_hours) filter (where task.status <> 'cancelled') as actual_hours
    from implementation_tasks as work
    inner join full_tasks as task on task.id = work.task_id
    where work.spec_id = spec.id
) as task_sums
cross join lateral (
    select sum(phase.hours) as hours
    from spec_phases as phase
    where phase.spec_id = spec.id
) as phase_sums;

comment on view spec_progress is
    'Progress and hours of specifications: 100 x completed / not cancelled; without tasks, 0.';
comment on column spec_progress.phase_hours is 'The sum of its phases'' hours.';
comment on column spec_progress.task_estimated_hours is 'The sum of its tasks'' estimates.';
comment on column spec_progress.task_actual_hours is 'The sum of its tasks'' actual hours.';

-- Implementation tasks whole: the part of the specification, the task, and its live claim.
create view spec_tasks as
select
    work.task_id,
    task.key,
    work.spec_id,
    spec.key as spec_key,
    task.title,
    task.status,
    task.effective_priority,
    task.execution_order,
    work.scope,
    work.scope_description,
    work.assigned_files,
    work.branch_name,
    work.worktree_path,
    task.claim_agent as claimed_by,
    case when task.claim_agent is not null then task.started_at end as claimed_at,
    task.started_at,
    task.completed_at,
    work.commit_sha,
    work.merged_at,
    work.merge_commit_sha,
    work.created_by,
    work.created_at
from implementation_tasks as work
inner join tasks as task on task.id = work.task_id
inner join technical_specs as spec on spec.id = work.spec_id;

comment on view spec_tasks is 'Implementation tasks, with their tasks and live claims.';

-- Sessions with their design jobs.
create view session_jobs as
select
    session.id,
    session.project_id,
    session.user_id,
    session.status,
    session.current_stage,
    session.progress_percentage,
    session.created_at,
    session.design_job_id,
    job.project_id as design_project_id,
    job.status as design_status,
    job.completed_at as design_completed_at
from tech_spec_sessions as session
inner join design_jobs as job on job.id = session.design_job_id;

comment on view session_jobs is 'Sessions with their design jobs.';

-- The duration, effort and results of each session. Each figure is looked up for the session in
-- question, so that reading few sessions costs little.
create view session_figures as
select
    session.id,
    session.project_id,
    session.status,
    session.created_at,
    session.completed_at - session.created_at as duration,
    error.error_count,
    error.recovered_count,
    error.retry_count,
    session.newest_version,
    document.quality_score
from tech_spec_sessions as session
cross join lateral (
    select
        count(*) as error_count,
        count(*) filter (where log.recovered) as recovered_count,
        coalesce(sum(log.retry_count), 0) as retry_count
    from agent_error_logs as log
    where log.session_id = session.id
) as error
left join lateral (
    select newest.quality_score
    from generated_trd_documents as newest
    where newest.session_id = session.id
    order by newest.version desc
    limit 1
) as document on true;

comment on view session_figures is
    'The duration of each session, its errors, and the quality of its newest document.';
comment on column session_figures.duration is
    'From its creation to its completion, pauses included; null before.';

-- Statistics of sessions, by their current status.
create view session_statistics as
select
    figures.status,
    count(*) as session_count,
    avg(figures.duration) as average_duration,
    sum(figures.error_count)::bigint as error_count,
    sum(figures.recovered_count)::bigint as recovered_count,
    round(100.0 * count(*) filter (where figures.error_count > 0) / count(*), 2)
        as sessions_with_errors_pct,
    round(avg(figures.quality_score), 2) as average_quality
from session_figures as figures
group by figures.status;

comment on view session_statistics is 'Statistics of sessions, by their status.';
comment on column session_statistics.sessions_with_errors_pct is
    '100 x sessions in which there was an error / all.';

-- The rate at which agents recovered from their errors, by node.
create view error_recovery as
select
    log.node,
    count(*) as error_count,
    count(*) filter (where log.recovered) as recovered_count,
    round(100.0 * count(*) filter (where log.recovered) / count(*), 2) as recovery_pct,
    round(avg(log.retry_count), 2) as average_retries,
    max(log.created_at) as last_error_at
from agent_error_logs as log
group by log.node;

comment on view error_recovery is 'Errors by node, and how many agents recovered from.';
comment on column error_recovery.recovery_pct is '100 x recovered / all.';

-- The values of foreign keys that are in no row of the table they name, and in how many rows each
-- stands. The server keeps foreign keys by triggers, and these can have been off: in a restore of
-- data alone, in a replica, for a superuser. Tables that the caller cannot read are left out.
create function dangling_references()
    returns table (
        constraint_name text,
        table_name text,
        referenced_name text,
        reference text,
        row_count bigint
    )
    language plpgsql
    stable
    set search_path from current
as $$
declare
    link record;
begin
    for link in
        select
            foreign_key.conname,
            child.relname as child_name,
            parent.relname as parent_name,
            string_agg(format('child.%I', own.attname), ', ' order by part.place) as own_columns,
            string_agg(format('parent.%I', other.attname), ', ' order by part.place)
                as their_columns
        from pg_constraint as foreign_key
        inner join pg_class as child on child.oid = foreign_key.conrelid
        inner join pg_class as parent on parent.oid = foreign_key.confrelid
        cross join lateral unnest(foreign_key.conkey, foreign_key.confkey)
            with ordinality as part (own, their, place)
        inner join pg_attribute as own on own.attrelid = child.oid and own.attnum = part.own
        inner join pg_attribute as other
            on other.attrelid = parent.oid and other.attnum = part.their
        where
            foreign_key.contype = 'f'
            and foreign_key.connamespace = current_schema()::regnamespace
            and has_table_privilege(child.oid, 'select')
            and has_table_privilege(parent.oid, 'select')
        group by foreign_key.conname, child.relname, parent.relname
    loop
        return query execute format(
            'select %L, %L, %L, concat_ws('', '', %4$s), count(*) from %2$I as child'
            ' where (%4$s) is not null'
            ' and not exists (select from %3$I as parent where (%5$s) = (%4$s)) group by %4$s',
            link.conname,
            link.child_name,
            link.parent_name,
            link.own_columns,
            link.their_columns
        );
    end loop;
end;
$$;

comment on function dangling_references() is
    'Values of foreign keys without the row that they name, and the number of rows of each.';

-- The tables of the workspace that an export holds, each after those its foreign keys refer to,
-- with the columns that the server does not compute. The migrations' own tables begin with _.
create function exported_tables()
    returns table (name text, columns text[])
    language sql
    stable
    set search_path from current
as $$
    with recursive exported as (
        select
            class.oid,
            class.relname::text as name
        from pg_class as class
        inner join pg_namespace as space on space.oid = class.relnamespace
        where
            space.nspname = current_schema()
            and class.relkind = 'r'
            and not starts_with(class.relname, '_')
    ),

    reference as (
        select
            link.conrelid as child,
            link.confrelid as parent
        from pg_constraint as link
        where link.contype = 'f' and link.conrelid <> link.confrelid
    ),

    depth as (
        select
            exported.oid,
            0 as number
        from exported
        union
        select
            reference.child,
            depth.number + 1
        from depth
        inner join reference on reference.parent = depth.oid
        where depth.number < 100
    )

    select
        exported.name,
        array(
            select attribute.attname::text
            from pg_attribute as attribute
            where
                attribute.attrelid = exported.oid
                and attribute.attnum > 0
                and attribute.attgenerated = ''
                and not attribute.attisdropped
            order by attribute.attname
        )
    from exported
    inner join depth on depth.oid = exported.oid
    group by exported.oid, exported.name
    order by max(depth.number), exported.name;
$$;

comment on function exported_tables() is
    'The tables of an export, parents first, with their columns.';

-- Every row of a table as JSON, in the order of its primary key, whatever the session's settings
-- are: two exports of the same data are the same, byte for byte.
create function export_rows(table_name text)
    returns setof text
    language plpgsql
    stable
    set search_path from current
    set timezone to 'UTC'
    set intervalstyle to 'postgres'
    set bytea_output to 'hex'
    set extra_float_digits to 1
as $$
declare
    known text[] := (
        select exported.columns
        from exported_tables() as exported
        where exported.name = table_name
    );
    computed text[];
    key_columns text;
begin
    if known is null then
        perform raise_refusal('table_name', 'must be a table of the workspace');
    end if;
    select array_agg(attribute.attname::text)
    into computed
    from pg_attribute as attribute
    where
        attribute.attrelid = table_name::regclass
        and attribute.attnum > 0
        and attribute.attname <> all(known);
    select string_agg(format('exported.%I', attribute.attname), ', ' order by part.place)
    into key_columns
    from pg_index as key
    cross join lateral unnest(key.indkey) with ordinality as part (attnum, place)
    inner join pg_attribute as attribute
        on attribute.attrelid = key.indrelid and attribute.attnum = part.attnum
    where key.indrelid = table_name::regclass and key.indisprimary;

    return query execute format(
        'select (to_jsonb(exported) - $1)::text from %I as exported order by %s',
        table_name,
        key_columns
    )
    using coalesce(computed, '{}');
end;
$$;

comment on function export_rows(text) is
    'The rows of a table as JSON, without computed columns, in the order of the primary key.';

-- Restoring an export into an empty workspace, in one transaction of its owner: begin_restore,
-- restore_rows as often as it takes, finish_restore. The triggers are off in between, so that rows
-- come back as they were, history and counters included; foreign keys and checks are on.
create function begin_restore()
    returns integer
    language plpgsql
    set search_path from current
as $$
declare
    found_name text;
    has_rows boolean;
    table_count integer := 0;
begin
    for found_name in select exported.name from exported_tables() as exported loop
        table_count := table_count + 1;
        execute format('alter table %I disable trigger user', found_name);
        -- A new workspace has rows in these; those of the file replace them.
        if found_name = 'guards' or found_name ~ '_status_transitions$' then
            execute format('delete from %I', found_name);
        else
            execute format('select exists (select from %I)', found_name) into has_rows;
            if has_rows then
                perform raise_refusal(
                    'workspace', format('must be empty, and has rows in %s', found_name)
                );
            end if;
        end if;
    end loop;
    return table_count;
end;
$$;

comment on function begin_restore() is
    'Turns the triggers of an empty workspace off; returns the number of tables.';

create function restore_rows(table_name text, given jsonb)
    returns bigint
    language plpgsql
    set search_path from current
    set timezone to 'UTC'
    set intervalstyle to 'postgres'
as $$
declare
    names text;
    row_count bigint;
begin
    select string_agg(format('%I', part.name), ', ')
    into names
    from exported_tables() as exported
    cross join lateral unnest(exported.columns) as part (name)
    where exported.name = table_name;
    if names is null then
        perform raise_refusal('table_name', 'must be a table of the workspace');
    end if;

    execute format(
        'insert into %1$I (%2$s) select %2$s from jsonb_populate_recordset(null::%1$I, $1)',
        table_name,
        names
    )
    using given;
    get diagnostics row_count = row_count;
    return row_count;
end;
$$;

comment on function restore_rows(text, jsonb) is
    'Inserts rows of a table, an array of JSON objects, between begin_ and finish_restore.';

-- Holders of claims in the exported workspace hold none here: live claims are revoked, and every
-- task's token is raised to the next million. So no token from there, not even one of a claim that
-- begins later, is valid here; and the tokens themselves record the restore.
-- docs/decisions/0037-tokens-after-a-restore.md
create function finish_restore()
    returns bigint
    language plpgsql
    set search_path from current
as $$
declare
    found_name text;
    revoked_count bigint;
begin
    for found_name in select exported.name from exported_tables() as exported loop
        execute format('alter table %I enable trigger user', found_name);
    end loop;

    update tasks as task
    set
        status = 'pending',
        status_seq = 0,
        status_agent = 'taskdb',
        status_note = 'the workspace was restored from a file',
        status_outcome = 'revoked'
    where task.claim_agent is not null;
    get diagnostics revoked_count = row_count;

    alter table tasks disable trigger user;
    update tasks as task
    set claim_token = (task.claim_token / 1000000 + 1) * 1000000;
    alter table tasks enable trigger user;
    return revoked_count;
end;
$$;

comment on function finish_restore() is
    'Turns the triggers on again, revokes live claims and raises tokens; returns the number of '
    'claims.';

-- PUBLIC may execute no function of a workspace: roles are granted those that they need
-- (sql/roles/). Some write as their owner, and a trigger function would do so for any table it is
-- attached to. `taskdb migrate up` does the same for functions of later migrations.
do $$
begin
    execute format('revoke all on all routines in schema %I from public', current_schema());
end;
$$;
