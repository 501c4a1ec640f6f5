-- Tasks: create, read, change, delete, find, and their transitions.

-- name: create
-- A new task. Without a key it gets one from the server. With :if_exists an existing task of that
-- key is returned unchanged.
with task as (
    insert into tasks (
        key,
        title,
        status,
        priority,
        agent_type,
        assigned_agent,
        execution_order,
        blocked_reason,
        scheduled_at,
        max_attempts,
        concurrency_key,
        workflow_id,
        workflow_execution_id,
        details_follow
    )
    values (
        :key,
        :title,
        :status,
        :priority,
        :agent_type,
        :assigned_agent,
        :execution_order,
        :blocked_reason,
        :scheduled_at,
        :max_attempts,
        :concurrency_key,
        :workflow_id,
        :workflow_execution_id,
        true
    )
    -- No trigger reads this column: the row stays as it is.
    -- if :if_exists
    on conflict (key)
    do update set lease_expires_at = tasks.lease_expires_at
    -- end if
    returning tasks.*
),

new_details as (
    insert into task_details (
        task_id,
        created_at,
        updated_at,
        priority,
        agent_type,
        assigned_agent,
        description,
        complexity_score,
        estimated_hours,
        requirements,
        context,
        metadata,
        labels,
        file_path,
        feature_id,
        parent_id,
        created_by,
        retry_delay,
        retry_factor,
        max_retry_delay
    )
    select
        task.id,
        task.created_at,
        task.updated_at,
        task.priority,
        task.agent_type,
        task.assigned_agent,
        :description,
        :complexity_score,
        :estimated_hours,
        :requirements,
        :context,
        :metadata,
        :labels,
        :file_path,
        :feature_id,
        :parent_id,
        :created_by,
        :retry_delay,
        :retry_factor,
        :max_retry_delay
    from task
    on conflict (task_id) do nothing                                -- if :if_exists
    returning task_details.*
)

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
    details.labels as "labels!",  -- not null in task_details
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
    task.version + details.version as "version!"  -- both are not null
from task
cross join lateral (
    select new_details.*
    from new_details
    -- if :if_exists
    union all
    select old_details.*
    from details_of(task.id) as old_details
    where not exists (select from new_details)
    -- end if
) as details
limit 1;

-- name: copy_tasks
-- The first rows of many new tasks: create_many sends them, then the second rows.
copy tasks (
    id,
    key,
    title,
    status,
    priority,
    agent_type,
    assigned_agent,
    execution_order,
    blocked_reason,
    scheduled_at,
    max_attempts,
    concurrency_key,
    workflow_id,
    workflow_execution_id,
    error_message,
    started_at,
    blocked_at,
    completed_at,
    created_at,
    updated_at,
    claim_agent,
    details_follow,
    open_dependencies,
    has_dependents,
    effective_priority
)
from stdin;

-- name: copy_details
-- The second rows of the same.
copy task_details (
    task_id,
    description,
    complexity_score,
    estimated_hours,
    requirements,
    context,
    metadata,
    labels,
    file_path,
    feature_id,
    parent_id,
    created_by,
    actual_hours,
    retry_delay,
    retry_factor,
    max_retry_delay,
    priority,
    agent_type,
    assigned_agent,
    created_at,
    updated_at
)
from stdin;

-- name: transaction_time
-- The moment at which the transaction began: the server's now().
select now() as transaction_time;

-- name: ids_by_key
-- The tasks with these keys: their keys and ids.
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
select task.*
from full_tasks as task
where task.id = :id
limit 1;

-- name: get_by_key
-- A task by its key.
--
-- plan: tasks_key_is_unique
select task.*
from full_tasks as task
where task.key = :key
limit 1;

-- name: list_tasks
-- Tasks, newest first. Every filter is optional; a page begins after the last row of the one
-- before. Those of an epic are looked for in each of its features: in the list of all they can lie
-- far apart from the newest.
--
-- plan: task_details_by_creation, tasks_by_status, task_details_by_assigned_agent,
-- plan: task_details_by_feature, task_details_by_parent, tasks_by_workflow, tasks_by_execution,
-- plan: tasks_by_schedule, task_details_by_agent_type, task_details_by_creator,
-- plan: task_details_by_priority, task_details_by_label
-- plan: allow full-scan with :due_by: where many are due by then, the newest are soon found
-- plan: allow full-scan with :labels: of a label not known the planner expects five in a thousand
select found.*
from (select 1) as page
cross join features as feature                                         -- if :epic_id
cross join lateral (
    select
        task.id,
        task.key,
        details.feature_id,
        task.workflow_id,
        task.workflow_execution_id,
        task.title,
        task.status,
        task.priority,
        task.effective_priority,
        task.agent_type,
        task.assigned_agent,
        details.parent_id,
        task.scheduled_at,
        task.open_dependencies,
        task.created_at,
        greatest(task.updated_at, details.updated_at) as updated_at,
        task.completed_at
    from tasks as task
    inner join task_details as details on details.task_id = task.id
    where true
        and task.status = :status                                   -- if :status
        and details.agent_type = :agent_type                           -- if :agent_type
        and details.assigned_agent = :assigned_agent                   -- if :assigned_agent
        and details.priority = :priority                               -- if :priority
        and details.priority <= :at_least                              -- if :at_least
        and details.feature_id = :feature_id                           -- if :feature_id
        and details.feature_id = feature.id                            -- if :epic_id
        and task.workflow_id = :workflow_id                         -- if :workflow_id
        and task.workflow_execution_id = :workflow_execution_id  -- if :workflow_execution_id
        and details.parent_id = :parent_id                             -- if :parent_id
        and task.is_due in (true, false)                            -- if :due_by
        and task.scheduled_at <= :due_by                            -- if :due_by
        and details.labels @> cast(:labels as text[])               -- if :labels
        and details.created_by = :created_by                        -- if :created_by
        and (details.created_at, details.task_id)                 -- if :after_created_at :after_id
            < (:after_created_at, :after_id)                      -- if :after_created_at :after_id
    order by details.created_at desc, details.task_id desc
    limit :limit
) as found
where feature.epic_id = :epic_id                                       -- if :epic_id
order by found.created_at desc, found.id desc                          -- if :epic_id
limit :limit;

-- name: list_ready
-- The tasks that can be claimed now, in the order of the claim.
--
-- ready_tasks defines what can be claimed; each branch names its index range in that order, so that
-- a page does not sort all of them. The first branch is the first of the view: asking is_claimable
-- of each row would cost more than the row.
--
-- plan: tasks_open_in_order, tasks_to_claim_by_type
with found as (
    (
        select task.*
        from tasks as task
        where
            task.is_ready
            and task.status = 'pending'
            and (
                not task.has_files
                or not exists (  -- offset: asked of each task, never of all files at once
                    select from file_conflicts as clash where clash.task_id = task.id offset 0
                )
            )
            and (
                task.concurrency_key is null
                or not exists (
                    select from concurrency_keys as used
                    where used.key = task.concurrency_key and used.running >= used.at_most
                )
            )
            and task.reserved_for in ('', :agent)                       -- if :agent
            and task.for_type in ('', :agent_type)                      -- if :agent_type
        order by task.effective_priority, task.place, task.created_at, task.id
        limit (select cast(:limit as integer))
    )
    union all
    (
        select task.*
        from tasks as task
        where
            not task.is_due
            and task.scheduled_at <= now()
            and is_claimable(task.id)
            and task.reserved_for in ('', :agent)                       -- if :agent
            and task.for_type in ('', :agent_type)                      -- if :agent_type
        order by task.effective_priority, task.place, task.created_at, task.id
        limit (select cast(:limit as integer))
    )
    union all
    (
        select task.*
        from tasks as task
        where
            task.lease_expires_at <= now()
            and is_claimable(task.id)
            and task.reserved_for in ('', :agent)                       -- if :agent
            and task.for_type in ('', :agent_type)                      -- if :agent_type
        order by task.effective_priority, task.place, task.created_at, task.id
        limit (select cast(:limit as integer))
    )
    union all
    (
        select task.*
        from tasks as task
        where
            task.concurrency_key is not null
            and task.waits_for_slot
            and is_claimable(task.id)
            and task.reserved_for in ('', :agent)                       -- if :agent
            and task.for_type in ('', :agent_type)                      -- if :agent_type
        order by task.effective_priority, task.place, task.created_at, task.id
        limit (select cast(:limit as integer))
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
    details.feature_id
from found
inner join task_details as details on details.task_id = found.id
order by found.effective_priority, found.place, found.created_at, found.id
limit (select cast(:limit as integer));

-- name: count_ready
-- The number of tasks that can be claimed now.
--
-- plan: allow full-scan: it counts all that are ready
select count(*) as ready_count
from ready_tasks;

-- name: list_blocked
-- The blocked tasks, the most urgent first, as claims order them, each with its open dependencies.
--
-- plan: tasks_open_in_order
select
    blocked.id,
    blocked.key,
    blocked.title,
    blocked.effective_priority,
    blocked.blocked_reason,
    blocked.blocked_at as "blocked_at!",  -- tasks_blocked_at_exactly_while_blocked
    blocked.open_dependencies,
    cast(blocked.open_blockers as text[]) as open_blockers
from blocked_tasks as blocked
order by blocked.effective_priority, blocked.place, blocked.created_at, blocked.id
limit :limit;

-- name: count_by_status
-- The number of tasks of each status.
--
-- plan: allow full-scan: it counts all
select
    task.status,
    count(*) as task_count
from tasks as task
group by task.status
order by task.status;

-- name: update
-- Changes the given columns, and nothing else. update_status changes the status. With :if_version
-- only while the task has that version.
--
-- plan: tasks_key_is_unique
with target as (
    select task.id
    from tasks as task
    inner join task_details as details on details.task_id = task.id
    where
        task.key = :key
        and require_version(                                        -- if :if_version
            task.key, task.version + details.version, :if_version   -- if :if_version
        )                                                           -- if :if_version
    for no key update of task
),

details as (
    update task_details as own
    set
        description = :description,                                 -- if :description
        complexity_score = :complexity_score,                       -- if :complexity_score
        estimated_hours = :estimated_hours,                         -- if :estimated_hours
        actual_hours = :actual_hours,                               -- if :actual_hours
        requirements = :requirements,                               -- if :requirements
        context = :context,                                         -- if :context
        metadata = :metadata,                                       -- if :metadata
        labels = :labels,                                           -- if :labels
        file_path = :file_path,                                     -- if :file_path
        retry_delay = :retry_delay,                                 -- if :retry_delay
        retry_factor = :retry_factor,                               -- if :retry_factor
        max_retry_delay = :max_retry_delay,                         -- if :max_retry_delay
        feature_id = :feature_id,                                   -- if :feature_id
        parent_id = :parent_id,                                     -- if :parent_id
        task_id = own.task_id
    from target
    where own.task_id = target.id
    returning own.*
)

update tasks as task
set
    title = :title,                                                 -- if :title
    priority = :priority,                                           -- if :priority
    agent_type = :agent_type,                                       -- if :agent_type
    assigned_agent = :assigned_agent,                               -- if :assigned_agent
    execution_order = :execution_order,                             -- if :execution_order
    error_message = :error_message,                                 -- if :error_message
    scheduled_at = :scheduled_at,                                   -- if :scheduled_at
    max_attempts = :max_attempts,                                   -- if :max_attempts
    concurrency_key = :concurrency_key,                             -- if :concurrency_key
    workflow_id = :workflow_id,                                     -- if :workflow_id
    workflow_execution_id = :workflow_execution_id,                 -- if :workflow_execution_id
    updated_at = now()
from details
where task.id = details.task_id
returning
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
    task.version + details.version as version;

-- name: update_status
-- Changes a task's status: status, history and moments in one statement.
--
-- plan: tasks_key_is_unique
update tasks as task
set
    blocked_reason = :blocked_reason,                               -- if :blocked_reason
    status_agent = :agent,
    status_note = :note,
    status_forced = :force,
    status = :status
from task_details as details
where task.key = :key and details.task_id = task.id
returning
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
    task.version + details.version as version;

-- name: delete
-- Deletes a task, with its child tasks, subtasks, files, dependencies, claims and history.
--
-- plan: tasks_key_is_unique
delete from tasks as task
where task.key = :key
returning task.id;

-- name: hierarchy
-- A task and what is under it, down to a number of levels, with depth and path, in the order of
-- paths. Without the bound the paths of a deep tree would be quadratic in size. The parent guard
-- rules out cycles.
--
-- plan: task_details_by_parent
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
    -- Lateral, so that each level reads its own children by the index, and not the whole table.
    cross join lateral (
        select
            part.id,
            part.key
        from task_details as details
        inner join tasks as part on part.id = details.task_id
        where details.parent_id = tree.id
        offset 0
    ) as child
    where tree.depth < :levels
)

select
    task.id,
    task.key,
    task.title,
    task.status,
    details.parent_id,
    tree.depth,
    tree.path
from tree
inner join tasks as task on task.id = tree.id
inner join task_details as details on details.task_id = task.id
order by tree.path;

-- name: find_similar
-- Tasks whose title looks like this one, the most alike first. Words may be misspelt.
--
-- plan: task_search_by_trigrams
-- plan: allow sort: the most alike may come last
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
-- The open tasks of an epic, or of one of its features, each after its blockers: the graph's ranks
-- are a topological order.
--
-- plan: epics_key_is_unique
-- plan: task_details_by_feature
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
inner join task_details as details on details.feature_id = member.id
inner join tasks as task on task.id = details.task_id
where task.status not in ('completed', 'failed', 'cancelled', 'archived')
order by task.graph_rank, task.id;

-- name: list_failed
-- Failed tasks, the latest first, with the last error.
--
-- plan: tasks_by_status
select
    task.id,
    task.key,
    task.title,
    task.error_message,
    task.failed_attempts,
    task.max_attempts,
    task.updated_at
from tasks as task
where task.status = 'failed'
order by task.created_at desc, task.id desc
limit :limit;

-- name: requeue
-- Failed tasks made pending again, with all of their attempts; blocked, where a dependency is open.
--
-- plan: tasks_key_is_unique
with failed as (
    select task.id
    from tasks as task
    where task.key = any(:keys) and task.status = 'failed'
    order by task.id
    for no key update
)

update tasks as task
set
    status = 'pending',
    scheduled_at = null,
    status_agent = :agent,
    status_note = :note,
    status_forced = true
from failed
where task.id = failed.id
-- Without the status: one of them may block another as soon as this statement ends.
returning task.key;
