-- Dependencies, and the reasons why a task can't be claimed.

-- name: add_dependency
-- A new edge, its ends by key. No row: one of the two does not exist.
--
-- plan: tasks_key_is_unique
with pair as (
    select
        waiting.id as task_id,
        blocker.id as depends_on_id
    from tasks as waiting
    cross join tasks as blocker
    where waiting.key = :task and blocker.key = :depends_on
)

insert into task_dependencies (task_id, depends_on_id, dependency_type, created_by)
select
    pair.task_id,
    pair.depends_on_id,
    :dependency_type,
    :created_by
from pair
returning
    task_id,
    depends_on_id,
    dependency_type,
    created_by,
    created_at;

-- name: copy_dependencies
-- Many edges at once: create_many and add_dependencies send the rows.
copy task_dependencies (task_id, depends_on_id, dependency_type, created_by)
from stdin;

-- name: remove_dependency
-- Removes an edge, its ends by key.
--
-- plan: tasks_key_is_unique
with pair as (
    select
        waiting.id as task_id,
        blocker.id as depends_on_id
    from tasks as waiting
    cross join tasks as blocker
    where waiting.key = :task and blocker.key = :depends_on
)

delete from task_dependencies as edge
using pair
where edge.task_id = pair.task_id and edge.depends_on_id = pair.depends_on_id
returning
    edge.task_id,
    edge.depends_on_id,
    edge.dependency_type,
    edge.created_by,
    edge.created_at;

-- name: dependencies_of
-- The direct blockers of a task, with their dependencies.
--
-- plan: tasks_key_is_unique
-- plan: task_dependencies_pkey
select
    edge.task_id,
    edge.depends_on_id,
    blocker.key,
    blocker.title,
    blocker.status,
    edge.dependency_type,
    edge.is_satisfied as satisfied
from tasks as task
inner join task_dependencies as edge on edge.task_id = task.id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where task.key = :key
order by blocker.key;

-- name: dependents_of
-- The direct dependents of a task.
--
-- plan: tasks_key_is_unique
-- plan: task_dependencies_by_blocker
select
    edge.task_id,
    edge.depends_on_id,
    waiting.key,
    waiting.title,
    waiting.status,
    edge.dependency_type,
    edge.is_satisfied as satisfied
from tasks as task
inner join task_dependencies as edge on edge.depends_on_id = task.id
inner join tasks as waiting on waiting.id = edge.task_id
where task.key = :key
order by waiting.key;

-- name: blocking_reasons
-- The reasons why a task can't be claimed now, by this agent if one is named. No row: it can.
--
-- The id is looked up first: a join with the view would compute it for every task.
--
-- plan: tasks_key_is_unique
-- plan: task_dependencies_pkey
select
    blocked_by.task_id,
    blocked_by.reason,
    blocked_by.blocker_id,
    blocked_by.blocker_key,
    blocked_by.dead or stuck.because_of is not null as "dead!",  -- is_dead: no NULL
    blocked_by.detail
    || coalesce(' and can never start, because of ' || stuck.because_of, '') as detail
from task_blocking_reasons as blocked_by
left join lateral (
    select dead_end(blocked_by.blocker_id) as because_of where blocked_by.reason = 'dependency'
) as stuck on true
where blocked_by.task_id = (select task.id from tasks as task where task.key = :key)
union all                                                           -- if :agent
select                                                              -- if :agent
    task.id,                                                        -- if :agent
    'reserved',                                                     -- if :agent
    null,                                                           -- if :agent
    null,                                                           -- if :agent
    false,                                                          -- if :agent
    'reserved for ' || task.assigned_agent                          -- if :agent
from tasks as task                                                  -- if :agent
where task.key = :key and task.assigned_agent <> :agent             -- if :agent
union all                                                           -- if :agent_type
select                                                              -- if :agent_type
    task.id,                                                        -- if :agent_type
    'agent_type',                                                   -- if :agent_type
    null,                                                           -- if :agent_type
    null,                                                           -- if :agent_type
    false,                                                          -- if :agent_type
    'for agents of type ' || task.agent_type                        -- if :agent_type
from tasks as task                                                  -- if :agent_type
where task.key = :key and task.agent_type <> :agent_type            -- if :agent_type
order by reason, blocker_key;

-- name: list_stuck
-- Tasks that can never start unless somebody acts, the most urgent first, each with the tasks that
-- it waits for in vain: they have ended otherwise than it asks, or are stuck themselves.
--
-- plan: allow full-scan: it looks at all that is blocked
with recursive stuck as (
    select task.id
    from tasks as task
    inner join task_dependencies as edge on edge.task_id = task.id
    inner join tasks as blocker on blocker.id = edge.depends_on_id
    where
        task.status = 'blocked'
        and not edge.is_satisfied
        and is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
    union
    select task.id
    from stuck
    inner join task_dependencies as edge on edge.depends_on_id = stuck.id
    inner join tasks as task on task.id = edge.task_id
    where task.status = 'blocked' and not edge.is_satisfied
)

select
    task.id,
    task.key,
    task.title,
    task.effective_priority,
    array(
        select cast(blocker.key as text)
        from task_dependencies as edge
        inner join tasks as blocker on blocker.id = edge.depends_on_id
        where
            edge.task_id = task.id
            and not edge.is_satisfied
            and (
                is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
                or blocker.id in (select other.id from stuck as other)
            )
        order by blocker.key
    ) as dead_blockers
from stuck
inner join tasks as task on task.id = stuck.id
order by task.effective_priority, task.key
limit :limit;

-- name: all_dependencies_of
-- All blockers of a task, direct or indirect, each once; suggestions left out.
--
-- plan: tasks_key_is_unique
-- plan: task_dependencies_pkey
with recursive ancestor as (
    select task.id
    from tasks as task
    where task.key = :key
    union
    -- Lateral, so that each level reads its own edges by the index, and not the whole table.
    select edge.depends_on_id
    from ancestor
    cross join lateral (
        select dependency.depends_on_id
        from task_dependencies as dependency
        where dependency.task_id = ancestor.id and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge
)

select
    task.id,
    task.key,
    task.title,
    task.status
from ancestor
inner join tasks as task on task.id = ancestor.id
where task.key <> :key
order by task.graph_rank, task.id;

-- name: all_dependents_of
-- All dependents of a task, direct or indirect, each once; suggestions left out.
--
-- plan: tasks_key_is_unique
-- plan: task_dependencies_by_blocker
with recursive descendant as (
    select task.id
    from tasks as task
    where task.key = :key
    union
    select edge.task_id
    from descendant
    cross join lateral (
        select dependency.task_id
        from task_dependencies as dependency
        where
            dependency.depends_on_id = descendant.id
            and dependency.dependency_type <> 'suggests'
        offset 0
    ) as edge
)

select
    task.id,
    task.key,
    task.title,
    task.status
from descendant
inner join tasks as task on task.id = descendant.id
where task.key <> :key
order by task.graph_rank, task.id;
