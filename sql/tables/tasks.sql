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
