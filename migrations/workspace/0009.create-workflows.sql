-- 0009: workflows, their steps, their executions; tasks may belong to them.
-- Locks: access exclusive on tasks, for milliseconds (columns without a rewrite, foreign keys not
--   valid, which 0010 validates) and for as long as two indexes take to read it: a second for a
--   million tasks.
-- Check: select count(*) from workflow_status_transitions;  -- expect 9
set local lock_timeout = '2s';

-- A workflow is a recipe: steps, in an order that they say themselves by what they need, and
-- when to take them. Each run of it is an execution, which keeps the recipe as it was then.
--
-- Three columns are the machinery's own:
--   graph_version           grows with every change of what steps need: the guard against cycles
--   unhealthy_dependencies  triggers keep it equal to the number of its external dependencies
--                           that are required and unhealthy
--   is_healthy              is written with it; its tasks carry the same (sql/tables/tasks.sql).
--                           (Were it a generated column, every update would lock the row as
--                           if this changed, and have the creators of tasks wait.)
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
-- Serves queries/workflows.sql: find_by_linear_issue.
create index workflows_by_linear_issue on workflows (linear_issue_id, created_at desc);

comment on table workflows is 'Recipes: steps and what starts them.';
comment on column workflows.github_repo_url is 'The repository that it works on.';
comment on column workflows.linear_issue_id is 'The issue that it was made for, as ENG-123.';
comment on column workflows.configuration is
    'What its executions need to know, as an object. Each keeps it as it was at its start.';
comment on column workflows.metadata is 'What other tools know of it, as an object.';
comment on column workflows.graph_version is
    'Grows with every change of what its steps need. Kept by trigger.';
comment on column workflows.unhealthy_dependencies is
    'How many of its required external dependencies are unhealthy. Kept by trigger.';
comment on column workflows.is_healthy is
    'Whether that is none. Its tasks refer to the pair of id and this, so they follow it.';

-- The allowed moves of a workflow, as rows: a team may allow more, or fewer.
create table workflow_status_transitions (
    old_status shared.workflow_status not null,
    new_status shared.workflow_status not null,
    meaning text not null,
    primary key (old_status, new_status),
    constraint workflow_status_transitions_is_a_move check (old_status <> new_status)
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

-- A step of a workflow: what is done, on what condition, and what happens if it fails.
create table workflow_steps (
    id uuid primary key default uuidv7(),
    workflow_id uuid not null,
    key shared.key not null,
    -- Not unique: the order among steps that may run at the same time; then by key.
    position integer not null default 1,
    title shared.title,
    step_type shared.name_text not null,
    configuration shared.object_json,
    condition jsonpath,
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
comment on column workflow_steps.position is 'Its place among what may run at once, from 1.';
comment on column workflow_steps.step_type is
    'What kind of work it is: a team''s own word, which its runners know.';
comment on column workflow_steps.configuration is 'What its runner needs to know, as an object.';
comment on column workflow_steps.condition is
    'A predicate over the execution''s context, such as $.branch == "main"; null: always.';
comment on column workflow_steps.max_attempts is 'With on_error = retry: how often it is tried.';
comment on column workflow_steps.retry_delay is 'How long after a failure it is tried again.';
comment on column workflow_steps.timeout is 'How long an attempt may take; null: as it likes.';

-- A step begins when the steps that it needs are done. Both are of one workflow, which the
-- foreign keys see to, and the graph has no cycle, which a trigger sees to.
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

-- An execution is one run of a workflow. It keeps the configuration as it was at the start,
-- and execution_steps the steps; what is changed in the workflow later does not touch it.
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

comment on table workflow_executions is 'Runs of workflows.';
comment on column workflow_executions.triggered_by is 'Who or what started it.';
comment on column workflow_executions.configuration is 'The workflow''s, as it was at the start.';
comment on column workflow_executions.context is
    'What conditions look at: given at the start, and added to by steps.';
comment on column workflow_executions.total_tasks is
    'How many tasks it had at its end: as its runner said, else its rows of tasks.';
comment on column workflow_executions.completed_tasks is 'How many of them were completed.';
comment on column workflow_executions.failed_tasks is 'How many of them had failed.';
comment on column workflow_executions.resource_usage is
    'What it took, as its runner measured it: an object.';
comment on column workflow_executions.error_message is 'Why it failed, or was cancelled.';

-- The steps of an execution: each as it stood in the workflow at the start, and what became of
-- it. Who writes one locks the execution's row first, so those who record steps of one
-- execution at once come one after another; executions don't wait for each other.
create table execution_steps (
    execution_id uuid not null,
    key shared.key not null,
    position integer not null,
    title shared.title,
    step_type shared.name_text not null,
    configuration shared.object_json,
    condition jsonpath,
    on_error shared.error_policy not null,
    max_attempts integer not null,
    retry_delay shared.duration not null,
    timeout shared.duration,
    needs text[] not null,
    status shared.step_status not null default 'pending',
    attempt integer not null default 0,
    output shared.object_json,
    error_message text,
    started_at timestamptz,
    -- While it is in progress: when its attempt has taken too long.
    deadline_at timestamptz,
    -- While it is retrying: when it may be tried again.
    retry_at timestamptz,
    ended_at timestamptz,
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

comment on table execution_steps is 'Steps of executions, and what became of each.';
comment on column execution_steps.needs is 'The keys of the steps that it needs.';
comment on column execution_steps.attempt is
    'How often it was begun. Who ends an attempt names it, and a stale one is refused.';
comment on column execution_steps.output is 'What it came to, as an object.';
comment on column execution_steps.deadline_at is 'When the attempt under way has timed out.';
comment on column execution_steps.retry_at is 'When it may be tried again.';

-- A task's workflow and execution; and two counts of what the machinery knows (0010 reads them).
alter table tasks
    add column workflow_id uuid,
    add column workflow_execution_id uuid,
    add column unhealthy_dependencies integer not null default 0,
    add column workflow_is_healthy boolean not null default true;

-- A workflow leaves its tasks, and while it is there they follow its health.
alter table tasks
    add constraint tasks_workflow_exists
        foreign key (workflow_id, workflow_is_healthy)
        references workflows (id, is_healthy)
        on update cascade on delete set null (workflow_id) not valid,
    add constraint tasks_execution_exists
        foreign key (workflow_execution_id) references workflow_executions (id)
        on delete set null not valid,
    add constraint tasks_execution_is_of_its_workflow
        foreign key (workflow_id, workflow_execution_id)
        references workflow_executions (workflow_id, id)
        on delete set null (workflow_execution_id) not valid;

-- Most tasks are of no workflow, and a claim need not write of them.
-- squawk-ignore require-concurrent-index-creation
create index tasks_by_workflow on tasks (workflow_id, created_at desc, id desc)
    where workflow_id is not null;
-- squawk-ignore require-concurrent-index-creation
create index tasks_by_execution on tasks (workflow_execution_id, workflow_id)
    where workflow_execution_id is not null;

comment on column tasks.workflow_id is 'The workflow that it serves.';
comment on column tasks.workflow_execution_id is
    'The execution that it is a part of, of that workflow.';
comment on column tasks.unhealthy_dependencies is
    'How many of its required external dependencies are unhealthy. Kept by triggers.';
comment on column tasks.workflow_is_healthy is
    'Whether all that its workflow requires outside is well. Kept by the foreign key.';

-- Looks for a cycle in what the steps of a workflow need, in time linear in their number: steps
-- are taken away as soon as all that they need are (Kahn 1962). Each that is left needs another
-- that is left, and whoever follows these comes round.
create function step_cycle(of_workflow uuid)
    returns text[]
    language plpgsql
    stable
    set search_path from current
as $$
declare
    steps uuid[];
    waiting int[];
    needed int[];
    first int[];
    still int[];
    taken int[] := '{}';
    following int[];
    seen int[] := '{}';
    at_step int := 1;
begin
    select array_agg(step.id order by step.id)
    into steps
    from workflow_steps as step
    where step.workflow_id = of_workflow;

    select
        positions_of(array_agg(need.step_id order by need.needs_id), steps),
        positions_of(array_agg(need.needs_id order by need.needs_id), steps)
    into waiting, needed
    from workflow_step_needs as need
    where need.workflow_id = of_workflow;
    if needed is null then
        return null;
    end if;

    -- first[n] is where the steps that need the nth begin in waiting; the next one's, their end.
    first := array_fill(0, array[cardinality(steps) + 1]);
    still := array_fill(0, array[cardinality(steps)]);
    for i in 1..cardinality(needed) loop
        first[needed[i] + 1] := first[needed[i] + 1] + 1;
        still[waiting[i]] := still[waiting[i]] + 1;
    end loop;
    first[1] := 1;
    for n in 1..cardinality(steps) loop
        first[n + 1] := first[n] + first[n + 1];
        if still[n] = 0 then
            taken := taken || n;
        end if;
    end loop;

    while at_step <= cardinality(taken) loop
        for i in first[taken[at_step]]..first[taken[at_step] + 1] - 1 loop
            still[waiting[i]] := still[waiting[i]] - 1;
            if still[waiting[i]] = 0 then
                taken := taken || waiting[i];
            end if;
        end loop;
        at_step := at_step + 1;
    end loop;
    if cardinality(taken) = cardinality(steps) then
        return null;
    end if;

    following := array_fill(0, array[cardinality(steps)]);
    for i in 1..cardinality(needed) loop
        if still[needed[i]] > 0 and still[waiting[i]] > 0 then
            following[waiting[i]] := needed[i];
            at_step := waiting[i];
        end if;
    end loop;
    while not at_step = any(seen) loop
        seen := seen || at_step;
        at_step := following[at_step];
    end loop;
    seen := seen[array_position(seen, at_step):] || at_step;
    return array(
        select step.key::text
        from unnest(seen) with ordinality as visit (n, place)
        inner join workflow_steps as step on step.id = steps[visit.n]
        order by visit.place
    );
end;
$$;

comment on function step_cycle(uuid) is
    'The keys of steps of a workflow that need each other in a circle, the first one again at the '
    'end; null if there are none.';

-- A change of a workflow's status must be a row of workflow_status_transitions.
create function refuse_workflow_move()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status <> new.status and not exists (
        select from workflow_status_transitions as allowed
        where allowed.old_status = old.status and allowed.new_status = new.status
    ) then
        raise exception using
            errcode = 'TD001',
            message = format('the workflow cannot go from %s to %s', old.status, new.status),
            detail = format('TD001 %s -> %s', old.status, new.status),
            hint = coalesce(
                (
                    select
                        'From here it can go to '
                        || string_agg(allowed.new_status::text, ', ' order by allowed.new_status)
                        || '.'
                    from workflow_status_transitions as allowed
                    where allowed.old_status = old.status
                ),
                'From here it goes nowhere; clone it.'
            );
    end if;
    return new;
end;
$$;

comment on function refuse_workflow_move() is
    'Refuses a move that is not in workflow_status_transitions.';

create trigger workflows_10_refuse_move
    before update of status on workflows
    for each row
    execute function refuse_workflow_move();

create trigger workflows_50_touch_updated_at
    before update on workflows
    for each row
    execute function touch_updated_at();

create trigger workflow_steps_50_touch_updated_at
    before update on workflow_steps
    for each row
    execute function touch_updated_at();

-- What steps need has no cycle. Whoever adds to it writes the workflow's row first, so that
-- two sessions which would close a cycle together meet there: at READ COMMITTED the second
-- waits and then sees the first's; at the higher levels it fails with 40001. Executions only
-- read, and share the row among themselves.
create function refuse_step_cycle()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    ids uuid[];
    id uuid;
    path text[];
begin
    select array_agg(distinct added.workflow_id) into ids from added;
    if ids is null then
        return null;
    end if;

    perform 1
    from workflows as workflow
    where workflow.id = any(ids)
    order by workflow.id
    for no key update;
    update workflows as workflow
    set graph_version = workflow.graph_version + 1
    where workflow.id = any(ids);

    foreach id in array ids loop
        path := step_cycle(id);
        if path is not null then
            perform raise_circular_dependency(path);
        end if;
    end loop;
    return null;
end;
$$;

comment on function refuse_step_cycle() is 'Refuses steps that need each other in a circle.';

create trigger workflow_step_needs_10_refuse_cycle
    after insert on workflow_step_needs
    referencing new table as added
    for each statement
    execute function refuse_step_cycle();

-- A need is made and removed, never changed, as a dependency between tasks.
create trigger workflow_step_needs_10_refuse_change
    before update on workflow_step_needs
    for each row
    when (
        (old.workflow_id, old.step_id, old.needs_id)
        is distinct from (new.workflow_id, new.step_id, new.needs_id)
    )
    execute function refuse_changed_edge();

-- Only an active workflow is started. The lock is shared: who starts waits for who pauses, and
-- not for others who start.
create function refuse_idle_workflow()
    returns trigger
    language plpgsql
    set search_path from current
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

-- An execution that has ended stays as it ended.
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

-- The end of an execution, by whatever route: its moment, its tasks counted unless the runner
-- has counted them, and its open steps cancelled. Whoever records a step has locked this row.
create function settle_execution()
    returns trigger
    language plpgsql
    set search_path from current
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

comment on function settle_execution() is 'Fills in what the end of an execution implies.';

create trigger workflow_executions_50_settle
    before update of status on workflow_executions
    for each row
    execute function settle_execution();

create trigger workflow_executions_51_touch_updated_at
    before update on workflow_executions
    for each row
    execute function touch_updated_at();

create function cancel_open_steps()
    returns trigger
    language plpgsql
    set search_path from current
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

comment on function cancel_open_steps() is 'Cancels what an execution has left at its end.';

create trigger workflow_executions_90_cancel_open_steps
    after update of status on workflow_executions
    for each row
    execute function cancel_open_steps();

-- A task of a workflow carries the workflow's health: the foreign key tasks_workflow_exists
-- refers to the pair, and its cascade keeps the pair the same for all tasks at once, at every
-- isolation level. This fills it in where a task comes to a workflow, or leaves it. The lock is
-- the foreign key's own: creators don't wait for each other, only a change of health does.
create function follow_workflow()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if tg_op = 'INSERT' then
        new.unhealthy_dependencies := 0;
    end if;
    if new.workflow_id is null then
        new.workflow_is_healthy := true;
    elsif tg_op = 'INSERT' or new.workflow_id is distinct from old.workflow_id then
        select workflow.is_healthy
        into new.workflow_is_healthy
        from workflows as workflow
        where workflow.id = new.workflow_id
        for key share;
        -- (Of a workflow that is not there the foreign key tells.)
        new.workflow_is_healthy := coalesce(new.workflow_is_healthy, true);
    end if;
    return new;
end;
$$;

comment on function follow_workflow() is 'Fills in the health of a task''s workflow.';

create trigger tasks_52_follow_workflow
    before insert or update of workflow_id on tasks
    for each row
    execute function follow_workflow();

-- The steps that may be begun now, and whether the condition of each holds: of executions that
-- run, those that wait for nothing more, and those whose time has come to be tried again. A
-- step is done for those that need it when it is completed, or failed with on_error = continue.
--
-- A step whose condition does not hold is skipped, and with it, as in GitHub Actions, all that
-- needs it, directly or not: queries/executions.sql, next_steps. A path that is no predicate,
-- or that cannot be followed, does not hold.
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

-- How the executions of each workflow went. A view is exact whatever runs at the same time, and
-- a counter in the workflow's row would have its executions wait for each other; nor do
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
group by workflow.id;

comment on view workflow_statistics is 'How the executions of each workflow went, exactly.';
comment on column workflow_statistics.success_pct is
    '100 x completed / (completed + failed); null before the first such end.';
comment on column workflow_statistics.average_duration is 'Of completed executions.';
