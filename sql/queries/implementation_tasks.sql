-- Implementation tasks: parts of specifications, as tasks. They are claimed as all tasks are.

-- name: create
-- A task and its part of a specification. No row if there is no such specification.
--
-- plan: technical_specs_key_is_taken_once
with spec as (
    select
        spec.id,
        spec.title
    from technical_specs as spec
    where spec.key = :spec
),

made as (
    insert into tasks (
        key,
        title,
        priority,
        agent_type,
        execution_order,
        details_follow
    )
    select
        :key,
        coalesce(:title, left(spec.title || ': ' || :scope, 500)),
        :priority,
        :agent_type,
        :execution_order,
        true
    from spec
    returning id, key, priority, agent_type, created_at, updated_at
),

detailed as (
    insert into task_details (
        task_id,
        priority,
        agent_type,
        created_at,
        updated_at,
        description,
        estimated_hours,
        feature_id,
        created_by
    )
    select
        made.id,
        made.priority,
        made.agent_type,
        made.created_at,
        made.updated_at,
        :scope_description,
        :estimated_hours,
        :feature_id,
        :created_by
    from made
),

linked as (
    insert into implementation_tasks (
        task_id,
        spec_id,
        scope,
        scope_description,
        assigned_files,
        branch_name,
        worktree_path,
        created_by
    )
    select
        made.id,
        spec.id,
        :scope,
        :scope_description,
        :assigned_files,
        coalesce(:branch_name, 'roadmap-implementation_task-' || made.key),
        :worktree_path,
        :created_by
    from made
    cross join spec
    returning task_id, spec_id, scope, branch_name
)

select
    linked.task_id,
    made.key,
    linked.spec_id,
    linked.scope,
    linked.branch_name
from linked
inner join made on made.id = linked.task_id;

-- name: adopt
-- An existing task becomes a part of a specification. No row if one of the two does not exist.
--
-- plan: tasks_key_is_unique
with part as (
    select
        task.id as task_id,
        task.key,
        spec.id as spec_id
    from tasks as task
    cross join technical_specs as spec
    where task.key = :key and spec.key = :spec
),

linked as (
    insert into implementation_tasks (
        task_id,
        spec_id,
        scope,
        scope_description,
        assigned_files,
        branch_name,
        worktree_path,
        created_by
    )
    select
        part.task_id,
        part.spec_id,
        :scope,
        :scope_description,
        :assigned_files,
        coalesce(:branch_name, 'roadmap-implementation_task-' || part.key),
        :worktree_path,
        :created_by
    from part
    returning task_id, spec_id, scope, branch_name
)

select
    linked.task_id,
    part.key,
    linked.spec_id,
    linked.scope,
    linked.branch_name
from linked
inner join part on part.task_id = linked.task_id;

-- name: split_phases
-- A task for each phase that has none yet, in the order of their numbers. A phase may have `files`,
-- which are then its task's.
--
-- plan: implementation_tasks_by_phase, implementation_tasks_by_spec
with spec as (
    select
        spec.id,
        spec.spec_number,
        spec.title,
        spec.structure
    from technical_specs as spec
    where spec.key = :spec
),

wanted as (
    select
        uuidv7() as id,
        spec.id as spec_id,
        phase.number,
        'TASK-' || spec.spec_number || '-' || phase.number as key,
        left(spec.title || ': ' || phase.name, 500) as title,
        phase.name,
        phase.description,
        phase.hours,
        coalesce(phase.files, '{}') as files,
        row_number() over (order by phase.number) as place
    from spec
    cross join lateral jsonb_to_recordset(spec.structure -> 'phases') as phase (
        number integer, name text, description text, hours numeric, files text[]
    )
    where not exists (
        select from implementation_tasks as work
        where work.spec_id = spec.id and work.phase = phase.name
    )
),

made as (
    insert into tasks (
        id,
        key,
        title,
        priority,
        agent_type,
        execution_order,
        details_follow
    )
    select
        wanted.id,
        wanted.key,
        wanted.title,
        :priority,
        :agent_type,
        wanted.number,
        true
    from wanted
    order by wanted.place
    returning id, key, priority, agent_type, created_at, updated_at
),

detailed as (
    insert into task_details (
        task_id,
        priority,
        agent_type,
        created_at,
        updated_at,
        description,
        estimated_hours,
        feature_id,
        created_by
    )
    select
        made.id,
        made.priority,
        made.agent_type,
        made.created_at,
        made.updated_at,
        wanted.description,
        wanted.hours,
        :feature_id,
        :created_by
    from made
    inner join wanted on wanted.id = made.id
),

linked as (
    insert into implementation_tasks (
        task_id, spec_id, scope, scope_description, assigned_files, branch_name, created_by
    )
    select
        made.id,
        wanted.spec_id,
        wanted.name,
        wanted.description,
        wanted.files,
        'roadmap-implementation_task-' || made.key,
        :created_by
    from made
    inner join wanted on wanted.id = made.id
    returning task_id, spec_id, scope, branch_name
),

chained as (
    insert into task_dependencies (task_id, depends_on_id, created_by)
    select
        made.id,
        earlier.id,
        :created_by
    from made
    inner join wanted on wanted.id = made.id
    inner join wanted as earlier on earlier.place = wanted.place - 1
    where :chained
)

select
    linked.task_id,
    made.key,
    linked.spec_id,
    linked.scope,
    linked.branch_name
from linked
inner join made on made.id = linked.task_id
inner join wanted on wanted.id = linked.task_id
order by wanted.place;

-- name: get
-- plan: tasks_key_is_unique
select task.*
from spec_tasks as task
where task.key = :key
limit 1;

-- name: list_tasks
-- The tasks of a specification, in the order of their work.
--
-- plan: implementation_tasks_by_spec, implementation_tasks_by_phase
select task.*
from spec_tasks as task
where
    task.spec_key = :spec
    and task.status = :status                                       -- if :status
order by task.effective_priority, task.execution_order, task.created_at, task.task_id;

-- name: list_ready
-- The tasks of a specification that can be claimed now, in the order of the claim.
--
-- plan: implementation_tasks_by_spec, implementation_tasks_by_phase
select task.*
from spec_tasks as task
where
    task.spec_key = :spec
    and exists (
        select from ready_tasks as ready
        where ready.id = task.task_id
        offset 0
    )
order by task.effective_priority, task.execution_order, task.created_at, task.task_id;

-- name: update
-- Changes the given columns, and nothing else.
--
-- plan: tasks_key_is_unique
update implementation_tasks as work
set
    scope = :scope,                                                 -- if :scope
    scope_description = :scope_description,                         -- if :scope_description
    assigned_files = :assigned_files,                               -- if :assigned_files
    branch_name = :branch_name,                                     -- if :branch_name
    worktree_path = :worktree_path,                                 -- if :worktree_path
    created_by = work.created_by
from tasks as task
where task.id = work.task_id and task.key = :key
returning
    work.task_id,
    task.key,
    work.spec_id,
    work.scope,
    work.branch_name;

-- name: complete
-- The task completed, by the holder of the live token, with its commit.
--
-- plan: tasks_pkey
with ended as (
    update tasks as task
    set
        status_ending = 'completed',
        error_message = null,
        status_agent = task.claim_agent,
        status_note = :note,
        status_outcome = 'completed'
    from implementation_tasks as work
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.claim_agent is not null
        and work.task_id = task.id
    returning task.id, task.key, task.status, task.completed_at
),

worked as (                                                         -- if :actual_hours
    update task_details as details                                  -- if :actual_hours
    set actual_hours = :actual_hours                                -- if :actual_hours
    from ended                                                      -- if :actual_hours
    where details.task_id = ended.id                                -- if :actual_hours
),                                                                  -- if :actual_hours

committed as (
    update implementation_tasks as work
    set commit_sha = :commit_sha
    from ended
    where work.task_id = ended.id
)

select
    ended.id,
    ended.key,
    ended.status,
    ended.completed_at
from ended;

-- name: record_merge
-- Records the merge of a task's branch. A second call sets the new moment and commit.
--
-- plan: tasks_key_is_unique
update implementation_tasks as work
set
    merged_at = coalesce(:merged_at, now()),
    merge_commit_sha = :merge_commit_sha
from tasks as task
where task.id = work.task_id and task.key = :key
returning work.merged_at as "merged_at!";  -- it was just set
