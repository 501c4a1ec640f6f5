-- A task is a unit of work that one agent does. This one table serves every kind of
-- task, so that claims, dependencies and history work alike for all of them.
--
-- Seven columns are the machinery's own. Nobody sets them by hand:
--   open_dependencies       triggers keep it equal to the number of unsatisfied edges
--   unhealthy_dependencies  triggers keep it equal to the number of its external dependencies
--                           that are required and unhealthy
--   workflow_is_healthy     a foreign key keeps it equal to is_healthy of its workflow
--   effective_priority      as urgent as the most urgent task that waits for it
--   claim_token             grows by one with every claim: the fence against zombies
--   graph_rank              a blocker's rank is below that of each task that waits for it
--   status_seq              grows by one with every change of status
-- And three are a letterbox: who changes a status, why, and whether by force come in
-- with the statement itself; a trigger moves them into history and clears them.

-- The distance leaves room to place a task between two others. See
-- docs/decisions/0001-dependency-graph.md.
create sequence task_graph_rank as bigint increment by 4294967296 minvalue 0 start with 0;

comment on sequence task_graph_rank is 'The graph_rank of the next task.';

-- Names tasks whose creator has no key for them.
create sequence task_number as bigint;

comment on sequence task_number is 'The number in the key of the next task without one: T-17.';

create table tasks (
    id uuid primary key default uuidv7(),
    key shared.key not null,
    feature_id uuid,
    workflow_id uuid,
    workflow_execution_id uuid,
    parent_id uuid,
    title shared.title not null,
    description text,
    status shared.task_status not null default 'pending',
    -- 1 is the most urgent, 10 the least.
    priority shared.priority not null default 5,
    effective_priority shared.priority not null default 5,
    agent_type shared.name_text,
    assigned_agent shared.name_text,
    complexity_score shared.score,
    estimated_hours shared.hours,
    actual_hours shared.hours,
    execution_order integer,
    requirements shared.object_json,
    context shared.object_json,
    metadata shared.object_json,
    file_path shared.name_text,
    blocked_reason shared.note_text,
    error_message text,
    scheduled_at timestamptz,
    max_attempts shared.counter not null default 10,
    created_by shared.name_text,
    started_at timestamptz,
    blocked_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    failed_attempts shared.counter not null default 0,
    open_dependencies shared.counter not null default 0,
    unhealthy_dependencies integer not null default 0,
    workflow_is_healthy boolean not null default true,
    claim_token bigint not null default 0,
    graph_rank bigint not null default nextval('task_graph_rank'),
    status_seq integer not null default 1,
    status_agent text,
    status_note text,
    status_forced boolean,
    constraint tasks_feature_exists
        foreign key (feature_id) references features (id) on delete cascade,
    constraint tasks_parent_exists
        foreign key (parent_id) references tasks (id) on delete cascade,
    -- A workflow leaves its tasks, and while it is there they follow its health.
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
    constraint tasks_key_is_unique unique (key),
    constraint tasks_pending_is_free
        check (status <> 'pending' or (open_dependencies = 0 and blocked_reason is null)),
    constraint tasks_blocked_has_gate_or_reason
        check (status <> 'blocked' or open_dependencies > 0 or blocked_reason is not null),
    constraint tasks_reason_only_while_blocked
        check (status = 'blocked' or blocked_reason is null),
    constraint tasks_blocked_at_exactly_while_blocked
        check ((status = 'blocked') = (blocked_at is not null)),
    constraint tasks_completed_at_from_completion_on
        check (
            (status <> 'completed' or completed_at is not null)
            and (status in ('completed', 'archived') or completed_at is null)
        )
)
with (fillfactor = 85);

-- Serve queries/claims.sql: claim_next and claim_batch, in the exact order of the
-- claim: the first for agents that take every type, the second for those that name one. (One
-- expression for both columns, so that neither query can be led to the other's index.)
create index tasks_to_claim
    on tasks (
        (coalesce(assigned_agent, '')), effective_priority, execution_order, created_at, id
    )
    where
        status = 'pending'
        and scheduled_at is null
        and unhealthy_dependencies = 0
        and workflow_is_healthy;
create index tasks_to_claim_by_type
    on tasks (
        (coalesce(assigned_agent, '') || '/' || coalesce(agent_type, '')),
        effective_priority,
        execution_order,
        created_at,
        id
    )
    where
        status = 'pending'
        and scheduled_at is null
        and unhealthy_dependencies = 0
        and workflow_is_healthy;
-- The planner does not use what it knows of a partial index's expressions.
create statistics tasks_reservations on (coalesce(assigned_agent, '')) from tasks;
create statistics tasks_reservations_by_type
    on (coalesce(assigned_agent, '') || '/' || coalesce(agent_type, '')) from tasks;

comment on statistics tasks_reservations is 'For the plan of claim_next.';
comment on statistics tasks_reservations_by_type is 'For the plan of claim_next.';
-- Serves the same: tasks whose time may have come.
create index tasks_to_claim_later
    on tasks (scheduled_at)
    where status = 'pending' and scheduled_at is not null;
-- Serves queries/tasks.sql: list_blocked.
create index tasks_blocked_in_order
    on tasks (effective_priority, key)
    where status = 'blocked';
-- Serve queries/tasks.sql: list_tasks, newest first, and the deletion of what tasks belong to.
create index tasks_by_creation on tasks (created_at desc, id desc);
create index tasks_by_status on tasks (status, created_at desc, id desc);
create index tasks_by_feature on tasks (feature_id, created_at desc, id desc);
create index tasks_by_parent on tasks (parent_id, created_at desc, id desc);
create index tasks_by_assigned_agent
    on tasks (assigned_agent, created_at desc, id desc)
    where assigned_agent is not null;
create index tasks_by_schedule on tasks (scheduled_at) where scheduled_at is not null;
create index tasks_by_agent_type
    on tasks (agent_type, created_at desc, id desc)
    where agent_type is not null;
create index tasks_by_creator
    on tasks (created_by, created_at desc, id desc)
    where created_by is not null;
create index tasks_by_priority on tasks (priority, created_at desc, id desc);
-- Most tasks are of no workflow, and a claim need not write of them.
create index tasks_by_workflow on tasks (workflow_id, created_at desc, id desc)
    where workflow_id is not null;
create index tasks_by_execution on tasks (workflow_execution_id, workflow_id)
    where workflow_execution_id is not null;

comment on table tasks is 'Units of work, of every kind.';
comment on column tasks.key is
    'Its name among people and tools: up to 100 characters, compared byte for byte.';
comment on column tasks.parent_id is 'The task it is a part of. The parent tree never gates.';
comment on column tasks.workflow_id is 'The workflow that it serves.';
comment on column tasks.workflow_execution_id is
    'The execution that it is a part of, of that workflow.';
comment on column tasks.priority is '1 (most urgent) to 10.';
comment on column tasks.effective_priority is
    'The priority that claims go by: the most urgent of its own and the effective ones of all '
    'tasks that wait for it by requires or blocks, save those that were given up: cancelled, or '
    'archived without completion. Kept by triggers.';
comment on column tasks.agent_type is 'Only agents of this type may claim it; null: all.';
comment on column tasks.assigned_agent is
    'A planner''s reservation: only this agent may claim it; null: all.';
comment on column tasks.complexity_score is 'Estimated complexity, 0 to 100.';
comment on column tasks.execution_order is 'The planner''s order among equals; null comes last.';
comment on column tasks.requirements is 'What the work needs, as an object.';
comment on column tasks.context is 'What the worker should know, as an object.';
comment on column tasks.metadata is 'What other tools know of it, as an object.';
comment on column tasks.file_path is 'Where its document lies, as the plan''s authors name it.';
comment on column tasks.blocked_reason is
    'Why it is held back by hand, beside what its open dependencies do.';
comment on column tasks.error_message is 'Why its last attempt failed.';
comment on column tasks.scheduled_at is 'Not to be claimed before this moment.';
comment on column tasks.max_attempts is
    'After so many failed or lapsed attempts it is no longer handed out.';
comment on column tasks.failed_attempts is 'Attempts that failed or lapsed so far.';
comment on column tasks.started_at is 'When it last went into progress.';
comment on column tasks.open_dependencies is
    'How many of its dependencies are not satisfied. Kept by triggers.';
comment on column tasks.unhealthy_dependencies is
    'How many of its required external dependencies are unhealthy. Kept by triggers.';
comment on column tasks.workflow_is_healthy is
    'Whether all that its workflow requires outside is well. Kept by the foreign key.';
comment on column tasks.claim_token is
    'The fencing token of the latest claim. It only grows; kept by the claim''s statement.';
comment on column tasks.graph_rank is
    'A blocker''s rank is below that of each task that waits for it. Kept by triggers.';
comment on column tasks.status_seq is 'The seq of its latest row in task_history.';
comment on column tasks.status_agent is
    'Who changes the status: set together with it; moved into task_history by trigger.';
comment on column tasks.status_note is
    'Why the status changes: set together with it; moved into task_history by trigger.';
comment on column tasks.status_forced is
    'True overrides the table of moves: set together with status; moved into task_history.';
