-- 0010: external dependencies, which keep tasks from being claimed while they are unhealthy.
-- Locks: access exclusive on tasks, for as long as its two indexes for claims take to be made
--   anew (a second for a million tasks); access exclusive on ready_tasks and task_obstacles, for
--   milliseconds; share row exclusive on workflows, for milliseconds (a foreign key refers to it);
--   row share on workflow_executions, for milliseconds (foreign keys to it are validated).
-- Check: select count(*) from external_dependencies;  -- expect 0
set local lock_timeout = '2s';

alter table tasks validate constraint tasks_workflow_exists;
alter table tasks validate constraint tasks_execution_exists;
alter table tasks validate constraint tasks_execution_is_of_its_workflow;

-- Something outside that a task or a workflow needs: a service, a URL, another resource. While
-- one that is required is unhealthy its task is not ready, or no task of its workflow.
--
-- taskdb does no checking itself: checkers take what is due (due_checks), look, and say what
-- they saw (record_check). A failure is looked at again after retry_delay, then after twice
-- that, and so on, until max_retries are used up: then it is unhealthy, until a check succeeds.
create table external_dependencies (
    id uuid primary key default uuidv7(),
    task_id uuid,
    workflow_id uuid,
    service shared.name_text not null,
    resource shared.name_text,
    validation_rule jsonpath,
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
    checked_at timestamptz,
    next_check_at timestamptz not null default now(),
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

-- Serve queries/externals.sql: list_externals. The first two: the view task_obstacles as well.
create index external_dependencies_by_task on external_dependencies (task_id);
create index external_dependencies_by_workflow on external_dependencies (workflow_id);
create index external_dependencies_by_health on external_dependencies (health, id);
-- Serves queries/externals.sql: due_checks.
create index external_dependencies_by_next_check on external_dependencies (next_check_at, id);

comment on table external_dependencies is
    'What tasks and workflows need that lies outside, and how it is.';
comment on column external_dependencies.service is 'What it is, by name.';
comment on column external_dependencies.resource is
    'Where it is: a URL, or what its checker knows.';
comment on column external_dependencies.validation_rule is
    'A predicate over a check''s response that healthy ones satisfy: $.status == "ok".';
comment on column external_dependencies.is_required is
    'Whether work waits for its recovery; otherwise its health is only told.';
comment on column external_dependencies.check_interval is
    'How long after a check the next one is due, and the longest that a retry waits.';
comment on column external_dependencies.timeout is
    'How long a check may take: until then no other checker gets it.';
comment on column external_dependencies.max_retries is
    'After so many retries in a row that failed as well it is unhealthy.';
comment on column external_dependencies.retry_delay is
    'How long after the first failure it is looked at again; doubled for each further one.';
comment on column external_dependencies.failed_checks is 'How many checks in a row failed.';
comment on column external_dependencies.response is 'What the latest check saw.';
comment on column external_dependencies.checked_at is 'When it was last checked.';
comment on column external_dependencies.next_check_at is 'When it is due for a check.';

-- Counts one more or one less unhealthy dependency at its task, or at its workflow. The
-- workflow's row is locked first, then, if its tasks must follow, they are, in the order of ids.
create function change_unhealthy(of_task uuid, of_workflow uuid, change int)
    returns void
    language plpgsql
    set search_path from current
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

create trigger external_dependencies_50_touch_updated_at
    before update on external_dependencies
    for each row
    execute function touch_updated_at();

-- What is required and unhealthy is counted where it hinders. One more or one less is always
-- right: it follows from the old and the new row alone, and every change of a count writes it.
create function count_unhealthy()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    before_count int := 0;
    after_count int := 0;
begin
    if tg_op <> 'INSERT' then
        before_count := (old.is_required and old.health = 'unhealthy')::int;
    end if;
    if tg_op <> 'DELETE' then
        after_count := (new.is_required and new.health = 'unhealthy')::int;
    end if;

    if
        tg_op = 'UPDATE'
        and (old.task_id, old.workflow_id) is not distinct from (new.task_id, new.workflow_id)
    then
        if after_count <> before_count then
            perform change_unhealthy(new.task_id, new.workflow_id, after_count - before_count);
        end if;
        return null;
    end if;
    if before_count > 0 then
        perform change_unhealthy(old.task_id, old.workflow_id, -1);
    end if;
    if after_count > 0 then
        perform change_unhealthy(new.task_id, new.workflow_id, 1);
    end if;
    return null;
end;
$$;

comment on function count_unhealthy() is
    'Counts unhealthy dependencies at their tasks and workflows.';

create trigger external_dependencies_90_count_unhealthy
    after insert or delete or update of task_id, workflow_id, is_required, health
    on external_dependencies
    for each row
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

create trigger external_dependencies_10_refuse_truncation
    after truncate on external_dependencies
    for each statement
    execute function refuse_truncated_externals();

-- What waits for something unhealthy is not in the way of what can be claimed.
-- squawk-ignore require-concurrent-index-deletion
drop index tasks_to_claim;
-- squawk-ignore require-concurrent-index-deletion
drop index tasks_to_claim_by_type;
-- squawk-ignore require-concurrent-index-creation
create index tasks_to_claim
    on tasks (
        (coalesce(assigned_agent, '')), effective_priority, execution_order, created_at, id
    )
    where
        status = 'pending'
        and scheduled_at is null
        and unhealthy_dependencies = 0
        and workflow_is_healthy;
-- squawk-ignore require-concurrent-index-creation
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

-- What may be claimed now: the one definition, which claim_next draws from and which
-- task_obstacles must agree with (an invariant of taskdb doctor). Reservations
-- (assigned_agent) and agent types are for the claim to match.
--
-- The branches are kept apart so that each has its index; the planner merges them in the
-- order of the claim.
create or replace view ready_tasks as
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.execution_order,
    task.created_at,
    task.agent_type,
    task.assigned_agent,
    task.feature_id,
    task.claim_token
from tasks as task
where
    task.status = 'pending'
    and task.scheduled_at is null
    and task.unhealthy_dependencies = 0
    and task.workflow_is_healthy
    and not exists (
        select from file_conflicts as clash
        where clash.task_id = task.id
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.execution_order,
    task.created_at,
    task.agent_type,
    task.assigned_agent,
    task.feature_id,
    task.claim_token
from tasks as task
where
    task.status = 'pending'
    and task.scheduled_at <= now()
    and task.unhealthy_dependencies = 0
    and task.workflow_is_healthy
    and not exists (
        select from file_conflicts as clash
        where clash.task_id = task.id
    )
union all
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.execution_order,
    task.created_at,
    task.agent_type,
    task.assigned_agent,
    task.feature_id,
    task.claim_token
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where
    claim.outcome is null
    and claim.lease_expires_at <= now()
    and task.status = 'in_progress'
    and task.failed_attempts + 1 < task.max_attempts;

comment on view ready_tasks is
    'Tasks that may be claimed now: pending, due, and all well with what they need outside; or '
    'in progress under a lapsed lease.';

-- Why a task can't be claimed now, a row for each reason; no row, exactly if ready_tasks
-- has it. A dead gate never opens by itself: its blocker failed, or was given up under
-- requires.
create or replace view task_obstacles as
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
    case when claim.id is null then 'started_by_hand' else 'claimed' end,
    null,
    null,
    false,
    case
        when claim.id is null then 'it was started without a claim'
        else 'claimed by ' || claim.agent || ' until ' || claim.lease_expires_at::text
    end
from tasks as task
left join task_claims as claim on claim.task_id = task.id and claim.outcome is null
where
    task.status = 'in_progress'
    and (claim.id is null or claim.lease_expires_at > now())
union all
select
    task.id,
    'attempts_exhausted',
    null,
    null,
    true,
    task.failed_attempts + 1 || ' attempts of ' || task.max_attempts || ' failed or lapsed'
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where
    claim.outcome is null
    and claim.lease_expires_at <= now()
    and task.status = 'in_progress'
    and task.failed_attempts + 1 >= task.max_attempts
union all
select
    task.id,
    'held',
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
    blocker.status = 'failed'
    or (edge.dependency_type = 'requires' and blocker.status in ('cancelled', 'archived')),
    edge.dependency_type::text || ' ' || blocker.key || ', which is ' || blocker.status::text
from tasks as task
inner join task_dependencies as edge on edge.task_id = task.id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where
    task.status in ('pending', 'blocked')
    and not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
union all
select
    task.id,
    'scheduled',
    null,
    null,
    false,
    'not before ' || task.scheduled_at::text
from tasks as task
where task.status in ('pending', 'blocked') and task.scheduled_at > now()
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
    || ' in the hands of ' || holder.key
from tasks as task
inner join file_conflicts as clash on clash.task_id = task.id
inner join tasks as holder on holder.id = clash.holder_id
where task.status in ('pending', 'blocked')
group by task.id, holder.id;

comment on view task_obstacles is 'Why a task cannot be claimed now, a row for each reason.';
comment on column task_obstacles.reason is
    'finished, in_review, claimed, started_by_hand, attempts_exhausted, held, dependency, '
    'scheduled, external, files.';
comment on column task_obstacles.dead is 'It will not go away by itself.';
