-- The choice of tasks for a list or a diagram, and the lists of those.

-- name: chosen
-- The tasks that match all the given filters, in no order.
--
-- plan: allow full-scan: without a selective filter it chooses all
select task.id
from full_tasks as task
where true
    and task.status = any(:statuses)                                -- if :statuses
    and task.id = any(:within)                                      -- if :within
    -- if :epic
    and task.id in (select place.task_id from task_places as place where place.epic = :epic)
    -- end if
    -- if :feature
    and task.id in (select place.task_id from task_places as place where place.feature = :feature)
    -- end if
    and task.workflow_id = :workflow_id                             -- if :workflow_id
    and task.agent_type = :agent_type                               -- if :agent_type
    and task.labels @> array[cast(:label as text)]                  -- if :label
    and task.labels <> '{}';                                        -- if :label

-- name: under
-- The tasks under one, however deep. The parent guard rules out cycles.
--
-- plan: tasks_key_is_unique, task_details_by_parent
with recursive tree as (
    select task.id
    from tasks as task
    where task.key = :key
    union all
    -- Lateral, so that each level reads its own children by the index, and not the whole table.
    select child.task_id as id
    from tree
    cross join lateral (
        select part.task_id
        from task_details as part
        where part.parent_id = tree.id
        offset 0
    ) as child
)

select tree.id
from tree
inner join tasks as task on task.id = tree.id
where task.key <> :key;

-- name: around
-- A task and those within a number of steps: an edge in either direction, a parent or a child.
--
-- plan: tasks_key_is_unique, tasks_pkey, task_details_by_parent, task_dependencies_pkey
with recursive around as (
    select
        task.id,
        task.parent_id,
        0 as distance
    from full_tasks as task
    where task.key = :key
    union
    select
        task.id,
        task.parent_id,
        around.distance + 1 as distance
    from around
    cross join lateral (
        select edge.depends_on_id as id
        from task_dependencies as edge
        where edge.task_id = around.id
        union all
        select edge.task_id as id
        from task_dependencies as edge
        where edge.depends_on_id = around.id
        union all
        select child.task_id as id
        from task_details as child
        where child.parent_id = around.id
        union all
        select around.parent_id as id
    ) as neighbour
    inner join full_tasks as task on task.id = neighbour.id
    where around.distance < :steps
)

select distinct around.id from around;

-- name: ready_among
-- The tasks among these that can be claimed now, in the order of the claim.
--
-- plan: tasks_pkey
select
    ready.id,
    ready.key,
    ready.title,
    ready.status,
    ready.effective_priority,
    ready.agent_type,
    ready.assigned_agent,
    details.feature_id
from ready_tasks as ready
inner join task_details as details on details.task_id = ready.id
where
    ready.id = any(:task_ids)
    and coalesce(ready.assigned_agent, '') in ('', :agent)          -- if :agent
    and coalesce(ready.agent_type, '') in ('', :agent_type)         -- if :agent_type
order by ready.effective_priority, ready.place, ready.created_at, ready.id
limit :limit;

-- name: list_among
-- These tasks, each after its blockers.
--
-- plan: tasks_pkey
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.agent_type,
    parent.key as parent_key,
    feature.key as feature_key,
    task.blocked_reason
from full_tasks as task
inner join tasks as ranked on ranked.id = task.id
left join tasks as parent on parent.id = task.parent_id
left join features as feature on feature.id = task.feature_id
where task.id = any(:task_ids)
order by ranked.graph_rank, task.id
limit :limit;
