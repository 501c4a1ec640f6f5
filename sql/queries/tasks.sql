-- Tasks: make, read, change, move, delete, find.

-- name: create
-- One new task. Its key is made by the server if it is null.
insert into tasks (
    key,
    title,
    description,
    status,
    priority,
    agent_type,
    assigned_agent,
    complexity_score,
    estimated_hours,
    execution_order,
    requirements,
    context,
    metadata,
    file_path,
    blocked_reason,
    scheduled_at,
    max_attempts,
    feature_id,
    workflow_id,
    workflow_execution_id,
    parent_id,
    created_by
)
values (
    :key,
    :title,
    :description,
    :status,
    :priority,
    :agent_type,
    :assigned_agent,
    :complexity_score,
    :estimated_hours,
    :execution_order,
    :requirements,
    :context,
    :metadata,
    :file_path,
    :blocked_reason,
    :scheduled_at,
    :max_attempts,
    :feature_id,
    :workflow_id,
    :workflow_execution_id,
    :parent_id,
    :created_by
)
returning
    id,
    key,
    feature_id,
    workflow_id,
    workflow_execution_id,
    parent_id,
    title,
    description,
    status,
    priority,
    effective_priority,
    agent_type,
    assigned_agent,
    complexity_score,
    estimated_hours,
    actual_hours,
    execution_order,
    requirements,
    context,
    metadata,
    file_path,
    blocked_reason,
    error_message,
    scheduled_at,
    max_attempts,
    failed_attempts,
    open_dependencies,
    created_by,
    started_at,
    blocked_at,
    completed_at,
    created_at,
    updated_at;

-- name: copy_tasks
-- Many new tasks at once: create_many sends the rows.
copy tasks (
    id,
    key,
    title,
    description,
    status,
    priority,
    agent_type,
    assigned_agent,
    complexity_score,
    estimated_hours,
    execution_order,
    requirements,
    context,
    metadata,
    file_path,
    blocked_reason,
    scheduled_at,
    max_attempts,
    feature_id,
    workflow_id,
    workflow_execution_id,
    parent_id,
    created_by,
    actual_hours,
    error_message,
    started_at,
    blocked_at,
    completed_at,
    created_at,
    updated_at
)
from stdin;

-- name: ids_by_key
-- Which of these keys exist, and whose they are.
--
-- plan: tasks_key_is_unique
select
    task.key,
    task.id
from tasks as task
where task.key = any(:keys);

-- name: get
-- A task by its id.
--
-- plan: tasks_pkey
select
    task.id,
    task.key,
    task.feature_id,
    task.workflow_id,
    task.workflow_execution_id,
    task.parent_id,
    task.title,
    task.description,
    task.status,
    task.priority,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    task.complexity_score,
    task.estimated_hours,
    task.actual_hours,
    task.execution_order,
    task.requirements,
    task.context,
    task.metadata,
    task.file_path,
    task.blocked_reason,
    task.error_message,
    task.scheduled_at,
    task.max_attempts,
    task.failed_attempts,
    task.open_dependencies,
    task.created_by,
    task.started_at,
    task.blocked_at,
    task.completed_at,
    task.created_at,
    task.updated_at
from tasks as task
where task.id = :id;

-- name: get_by_key
-- A task by its key.
--
-- plan: tasks_key_is_unique
select
    task.id,
    task.key,
    task.feature_id,
    task.workflow_id,
    task.workflow_execution_id,
    task.parent_id,
    task.title,
    task.description,
    task.status,
    task.priority,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    task.complexity_score,
    task.estimated_hours,
    task.actual_hours,
    task.execution_order,
    task.requirements,
    task.context,
    task.metadata,
    task.file_path,
    task.blocked_reason,
    task.error_message,
    task.scheduled_at,
    task.max_attempts,
    task.failed_attempts,
    task.open_dependencies,
    task.created_by,
    task.started_at,
    task.blocked_at,
    task.completed_at,
    task.created_at,
    task.updated_at
from tasks as task
where task.key = :key;

-- name: list_tasks
-- Tasks, newest first. Every filter is optional; a page begins after the last row of the
-- one before.
--
-- plan: tasks_by_creation, tasks_by_status, tasks_by_assigned_agent, tasks_by_feature,
-- plan: tasks_by_parent, tasks_by_workflow, tasks_by_execution, tasks_by_schedule,
-- plan: tasks_by_agent_type, tasks_by_creator, tasks_by_priority
select
    task.id,
    task.key,
    task.feature_id,
    task.workflow_id,
    task.workflow_execution_id,
    task.title,
    task.status,
    task.priority,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    task.parent_id,
    task.scheduled_at,
    task.open_dependencies,
    task.created_at,
    task.updated_at,
    task.completed_at
from tasks as task
where
    true
    and task.status = :status                                       -- if :status
    and task.agent_type = :agent_type                               -- if :agent_type
    and task.assigned_agent = :assigned_agent                       -- if :assigned_agent
    and task.priority = :priority                                   -- if :priority
    and task.priority <= :at_least                                  -- if :at_least
    and task.feature_id = :feature_id                               -- if :feature_id
    and task.feature_id in (                                        -- if :epic_id
        select feature.id                                           -- if :epic_id
        from features as feature                                    -- if :epic_id
        where feature.epic_id = :epic_id                            -- if :epic_id
    )                                                               -- if :epic_id
    and task.workflow_id = :workflow_id                             -- if :workflow_id
    and task.workflow_execution_id = :workflow_execution_id     -- if :workflow_execution_id
    and task.parent_id = :parent_id                                 -- if :parent_id
    and task.scheduled_at <= :due_by                                -- if :due_by
    and task.created_by = :created_by                               -- if :created_by
    and (task.created_at, task.id)                                -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                          -- if :after_created_at :after_id
order by task.created_at desc, task.id desc
limit :limit;

-- name: list_ready
-- What may be claimed now, in the order of the claim.
--
-- What may be claimed the view ready_tasks says; each branch says where to look for it in that
-- order, as in claim_next, so that a page does not sort all there is.
--
-- plan: whole tables: all that is ready is read
-- plan: long sorts: and sorted, until the new task core has an index for it
with found as (
    (
        select
            task.id,
            task.key,
            task.title,
            task.status,
            task.effective_priority,
            task.agent_type,
            task.assigned_agent,
            task.feature_id,
            task.execution_order,
            task.created_at
        from tasks as task
        cross join lateral (
            select from ready_tasks as ready where ready.id = task.id offset 0
        ) as ready
        where
            task.status = 'pending'
            and task.scheduled_at is null
            and task.unhealthy_dependencies = 0
            and task.workflow_is_healthy
            and coalesce(task.assigned_agent, '') in ('', :agent)       -- if :agent
            and coalesce(task.agent_type, '') in ('', :agent_type)      -- if :agent_type
        order by
            task.effective_priority,
            task.execution_order,
            task.created_at,
            task.id
        limit :limit
    )
    union all
    (
        select
            task.id,
            task.key,
            task.title,
            task.status,
            task.effective_priority,
            task.agent_type,
            task.assigned_agent,
            task.feature_id,
            task.execution_order,
            task.created_at
        from tasks as task
        cross join lateral (
            select from ready_tasks as ready where ready.id = task.id offset 0
        ) as ready
        where
            task.status = 'pending'
            and task.scheduled_at <= now()
            and coalesce(task.assigned_agent, '') in ('', :agent)       -- if :agent
            and coalesce(task.agent_type, '') in ('', :agent_type)      -- if :agent_type
        order by
            task.effective_priority,
            task.execution_order,
            task.created_at,
            task.id
        limit :limit
    )
    union all
    (
        select
            task.id,
            task.key,
            task.title,
            task.status,
            task.effective_priority,
            task.agent_type,
            task.assigned_agent,
            task.feature_id,
            task.execution_order,
            task.created_at
        -- (Sorted first: they are few, and to look whether they are ready costs more.)
        from (
            select
                lapsed.id,
                lapsed.key,
                lapsed.title,
                lapsed.status,
                lapsed.effective_priority,
                lapsed.agent_type,
                lapsed.assigned_agent,
                lapsed.feature_id,
                lapsed.execution_order,
                lapsed.created_at
            from task_claims as claim
            inner join tasks as lapsed on lapsed.id = claim.task_id
            where
                claim.outcome is null
                and claim.lease_expires_at <= now()
                and coalesce(lapsed.assigned_agent, '') in ('', :agent)  -- if :agent
                and coalesce(lapsed.agent_type, '') in ('', :agent_type)  -- if :agent_type
            order by
                lapsed.effective_priority,
                lapsed.execution_order,
                lapsed.created_at,
                lapsed.id
            offset 0
        ) as task
        cross join lateral (
            select from ready_tasks as ready where ready.id = task.id offset 0
        ) as ready
        order by
            task.effective_priority,
            task.execution_order,
            task.created_at,
            task.id
        limit :limit
    )
)

select
    found.id,
    found.key,
    found.title,
    found.status,
    found.effective_priority,
    found.agent_type,
    found.assigned_agent,
    found.feature_id
from found
order by found.effective_priority, found.execution_order, found.created_at, found.id
limit :limit;

-- name: count_ready
-- How many tasks may be claimed now.
--
-- plan: whole tables: it counts all that are ready
select count(*) as ready_count
from ready_tasks;

-- name: list_blocked
-- What is held back, the most urgent first, each task with what it waits for.
--
-- plan: tasks_blocked_in_order
select
    blocked.id,
    blocked.key,
    blocked.title,
    blocked.effective_priority,
    blocked.blocked_reason,
    blocked.blocked_at as "blocked_at!",  -- tasks_blocked_at_exactly_while_blocked
    blocked.open_dependencies,
    cast(blocked.open_gates as text[]) as open_gates
from blocked_tasks as blocked
order by blocked.effective_priority, blocked.key
limit :limit;

-- name: count_by_status
-- How many tasks there are of each status.
--
-- plan: whole tables: it counts all
select
    task.status,
    count(*) as task_count
from tasks as task
group by task.status
order by task.status;

-- name: update
-- Changes what is given, and nothing else. The status has update_status of its own.
--
-- plan: tasks_key_is_unique
update tasks as task
set
    title = :title,                                                 -- if :title
    description = :description,                                     -- if :description
    priority = :priority,                                           -- if :priority
    agent_type = :agent_type,                                       -- if :agent_type
    assigned_agent = :assigned_agent,                               -- if :assigned_agent
    complexity_score = :complexity_score,                           -- if :complexity_score
    estimated_hours = :estimated_hours,                             -- if :estimated_hours
    actual_hours = :actual_hours,                                   -- if :actual_hours
    execution_order = :execution_order,                             -- if :execution_order
    requirements = :requirements,                                   -- if :requirements
    context = :context,                                             -- if :context
    metadata = :metadata,                                           -- if :metadata
    file_path = :file_path,                                         -- if :file_path
    error_message = :error_message,                                 -- if :error_message
    scheduled_at = :scheduled_at,                                   -- if :scheduled_at
    max_attempts = :max_attempts,                                   -- if :max_attempts
    feature_id = :feature_id,                                       -- if :feature_id
    workflow_id = :workflow_id,                                     -- if :workflow_id
    workflow_execution_id = :workflow_execution_id,             -- if :workflow_execution_id
    parent_id = :parent_id,                                         -- if :parent_id
    updated_at = now()
where task.key = :key
returning
    task.id,
    task.key,
    task.feature_id,
    task.workflow_id,
    task.workflow_execution_id,
    task.parent_id,
    task.title,
    task.description,
    task.status,
    task.priority,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    task.complexity_score,
    task.estimated_hours,
    task.actual_hours,
    task.execution_order,
    task.requirements,
    task.context,
    task.metadata,
    task.file_path,
    task.blocked_reason,
    task.error_message,
    task.scheduled_at,
    task.max_attempts,
    task.failed_attempts,
    task.open_dependencies,
    task.created_by,
    task.started_at,
    task.blocked_at,
    task.completed_at,
    task.created_at,
    task.updated_at;

-- name: update_status
-- Moves a task: status, history and moments in one statement.
--
-- plan: tasks_key_is_unique
update tasks as task
set
    blocked_reason = :blocked_reason,                               -- if :blocked_reason
    status_agent = :agent,
    status_note = :note,
    status_forced = :force,
    status = :status
where task.key = :key
returning
    task.id,
    task.key,
    task.feature_id,
    task.workflow_id,
    task.workflow_execution_id,
    task.parent_id,
    task.title,
    task.description,
    task.status,
    task.priority,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    task.complexity_score,
    task.estimated_hours,
    task.actual_hours,
    task.execution_order,
    task.requirements,
    task.context,
    task.metadata,
    task.file_path,
    task.blocked_reason,
    task.error_message,
    task.scheduled_at,
    task.max_attempts,
    task.failed_attempts,
    task.open_dependencies,
    task.created_by,
    task.started_at,
    task.blocked_at,
    task.completed_at,
    task.created_at,
    task.updated_at;

-- name: delete
-- A task goes, with its child tasks, subtasks, files, dependencies, claims and history.
--
-- plan: tasks_key_is_unique
delete from tasks as task
where task.key = :key
returning task.id;

-- name: hierarchy
-- A task and all that is under it, with depth and path, in the order of paths. The tree has
-- no loop: the parent guard sees to that.
--
-- plan: tasks_by_parent
with recursive tree as (
    select
        task.id,
        0 as depth,
        array[cast(task.key as text)] as path
    from tasks as task
    where task.key = :key
    union all
    select
        child.id,
        tree.depth + 1,
        tree.path || cast(child.key as text)
    from tree
    inner join tasks as child on child.parent_id = tree.id
)

select
    task.id,
    task.key,
    task.title,
    task.status,
    task.parent_id,
    tree.depth,
    tree.path
from tree
inner join tasks as task on task.id = tree.id
order by tree.path;

-- name: find_similar
-- Tasks whose title looks like this one, the most alike first. Words may be misspelt.
--
-- plan: task_search_by_trigrams
-- plan: long sorts: the most alike may come last
select
    task.id,
    task.key,
    task.title,
    task.status,
    cast(similarity(search.title, :title) as double precision)
        as "similarity!"  -- strict, and both titles are not null
from task_search as search
inner join tasks as task on task.id = search.task_id
where search.title % :title
order by similarity(search.title, :title) desc, task.key
limit :limit;

-- name: execution_order
-- The open tasks of an epic, or of one of its features, each after all it waits for: the
-- graph's ranks are a topological order.
--
-- plan: epics_key_is_unique
-- plan: tasks_by_feature
with member as (
    select feature.id
    from epics as epic
    inner join features as feature on feature.epic_id = epic.id
    where
        epic.key = :epic
        and feature.key = :feature                                  -- if :feature
)

select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.open_dependencies
from member
inner join tasks as task on task.feature_id = member.id
where task.status not in ('completed', 'failed', 'cancelled', 'archived')
order by task.graph_rank, task.id;
