-- 0006: implementation tasks, and the files that those in progress hold.
-- Locks: share row exclusive on tasks, technical_specs and spec_phases, for milliseconds (foreign
--   keys refer to them);
--   access exclusive on ready_tasks and task_obstacles, for milliseconds.
-- Check: select count(*) from held_files;  -- expect 0
set local lock_timeout = '2s';

-- What an implementation task adds to a task, one to one: the part of a specification that it
-- implements, the files it may change, and what became of them. Without the one the other goes.
create table implementation_tasks (
    task_id uuid primary key,
    spec_id uuid not null,
    -- Its specification's, which a trigger fills in and a foreign key holds.
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
    merged_at timestamptz,
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
    'What it implements: of a hierarchical specification the name of one of its phases.';
comment on column implementation_tasks.assigned_files is
    'The files it changes, from the root of the repository. While it is in progress they are '
    'its own: see held_files.';
comment on column implementation_tasks.worktree_path is 'Where its branch is checked out.';
comment on column implementation_tasks.commit_sha is 'The commit that did the work.';
comment on column implementation_tasks.merged_at is 'When its branch was merged.';

-- The files of implementation tasks in progress, each of one task: the key refuses an overlap,
-- whoever starts the task, and at the same moment. Written by triggers when a task goes into
-- progress and out of it. An agent that takes over a lapsed task takes its files with it.
create table held_files (
    path text collate "C" primary key,
    task_id uuid not null,
    constraint held_files_task_exists
        foreign key (task_id) references implementation_tasks (task_id) on delete cascade
);

-- Serves the trigger that gives a task's files back.
create index held_files_by_task on held_files (task_id);

comment on table held_files is 'Files that tasks in progress change now. Written by trigger.';

-- Takes the files of an implementation task for it, all or none, and says whether it has them.
-- Other tasks have nothing to take. Who claims calls it with the task's row locked, and looks
-- for another task if the answer is no.
--
-- Rows are written in the order of paths, and those of a failure are rolled back at once: so
-- who waits for a file holds none that comes after it, and two claims can't deadlock.
create function take_files(for_task uuid)
    returns boolean
    language plpgsql
    set search_path from current
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
        select from held_files as file
        where file.path = any(wanted) and file.task_id <> for_task
    ) then
        return false;
    end if;

    begin
        insert into held_files (path, task_id)
        select distinct file.path, for_task
        from unnest(wanted) as file (path)
        where not exists (
            select from held_files as own
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
    'Takes the files of a task that goes into progress, if no other task has one of them.';

-- Refuses files to a task, as another task in progress has one of them.
create function raise_held_file(for_task uuid)
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
            'the file %s is held by task %s, which is in progress',
            coalesce(path, 'it needs'),
            coalesce(holder, 'another')
        ),
        detail = 'TD007 assigned_files: must not have a file of another task in progress',
        hint = 'Wait until that task is done, or assign other files.';
end;
$$;

comment on function raise_held_file(uuid) is 'Raises TD007 with the file and its holder.';

-- An implementation task stays with its task, and has the type of its specification, which the
-- foreign key then holds.
create function fill_in_spec_type()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if tg_op = 'UPDATE' and new.task_id <> old.task_id then
        raise exception using
            errcode = 'TD003',
            message = 'an implementation task stays with its task',
            detail = 'TD003 update',
            hint = 'Delete it and make another one.';
    end if;
    -- (Of no specification at all the foreign key speaks.)
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

-- Without its part of a specification the task goes too; with a specification, all of its.
create function delete_task_of()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    ids uuid[];
begin
    select array_agg(removed.task_id) into ids from removed;
    delete from tasks as task where task.id = any(ids);
    return null;
end;
$$;

comment on function delete_task_of() is 'Deletes the tasks of deleted implementation tasks.';

create trigger implementation_tasks_90_delete_task
    after delete on implementation_tasks
    referencing old table as removed
    for each statement
    execute function delete_task_of();

-- An implementation task that goes into progress has its files, and gives them back when it
-- leaves, by whatever route: a claim, a start by hand, completion, failure, force. A claim has
-- taken them before, to look for another task if it can't; who starts a task otherwise is
-- refused by TD007.
create function hold_files()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if old.status = new.status then
        return new;
    elsif new.status = 'in_progress' then
        if not take_files(new.id) then
            perform raise_held_file(new.id);
        end if;
    elsif old.status = 'in_progress' then
        delete from held_files as file where file.task_id = new.id;
    end if;
    return new;
end;
$$;

comment on function hold_files() is
    'Takes the files of a task that goes into progress, and gives back those of one that leaves.';

create trigger tasks_10_hold_files
    before update of status on tasks
    for each row
    execute function hold_files();

-- A task whose list of files is new, or changes, while it is in progress has the new ones.
-- Its row is written even if it is not in progress: that is where this meets a claim which
-- sees the old list in an older snapshot. (A lock without a write would leave no trace for it.)
create function hold_changed_files()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    status shared.task_status;
begin
    update tasks as task
    set updated_at = now()
    where task.id = new.task_id
    returning task.status into status;
    if status = 'in_progress' then
        delete from held_files as file
        where file.task_id = new.task_id and file.path <> all(new.assigned_files);
        if not take_files(new.task_id) then
            perform raise_held_file(new.task_id);
        end if;
    end if;
    return null;
end;
$$;

comment on function hold_changed_files() is
    'Takes the files that a task in progress is newly assigned, and gives the others back.';

create trigger implementation_tasks_90_hold_changed_files
    after insert or update of assigned_files on implementation_tasks
    for each row
    execute function hold_changed_files();

-- Implementation tasks with files that another task, which is in progress, holds: a row for
-- each such file. Until it has none a pending task is not handed out.
create view file_conflicts as
select
    work.task_id,
    held.path,
    held.task_id as holder_id
from implementation_tasks as work
cross join lateral unnest(work.assigned_files) as assigned (path)
inner join held_files as held on held.path = assigned.path
where held.task_id <> work.task_id;

comment on view file_conflicts is
    'Files of implementation tasks that another task in progress holds.';

-- What may be claimed now: the one definition, which claim_next draws from and which
-- task_obstacles must agree with (an invariant of taskdb doctor). Reservations
-- (assigned_agent) and agent types are for the claim to match.
--
-- The branches are kept apart so that each has its index; the planner merges them in the
-- order of the claim. A task whose files a task in progress holds is not among them; one under
-- a lapsed lease holds its own.
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
    'Tasks that may be claimed now: pending and due, or in progress under a lapsed lease.';

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
    'scheduled, files.';
comment on column task_obstacles.dead is 'It will not go away by itself.';

-- How far each specification is, and its hours, from its tasks. Cancelled ones don't count. Asked
-- of one specification, only its own tasks are read.
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
    inner join tasks as task on task.id = work.task_id
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
comment on column spec_progress.task_actual_hours is 'The sum of what its tasks took.';

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
    claim.agent as claimed_by,
    claim.claimed_at,
    task.started_at,
    task.completed_at,
    work.commit_sha,
    work.merged_at,
    work.merge_commit_sha,
    work.created_by,
    work.created_at
from implementation_tasks as work
inner join tasks as task on task.id = work.task_id
inner join technical_specs as spec on spec.id = work.spec_id
left join task_claims as claim on claim.task_id = task.id and claim.outcome is null;

comment on view spec_tasks is 'Implementation tasks, with their tasks and live claims.';
