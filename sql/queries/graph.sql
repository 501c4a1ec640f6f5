-- The content of a diagram: tasks and edges, or features and the edges between them.

-- name: size
-- The number of tasks in the diagram of an epic, or of the whole plan.
--
-- plan: allow full-scan without :epic: it counts all
select count(*) as task_count
from task_details as task
where true
    -- if :epic
    and task.task_id in (select place.task_id from task_places as place where place.epic = :epic)
    -- end if
    and task.task_id = any(:task_ids);                                 -- if :task_ids

-- name: nodes
-- The tasks of an epic, or all, each after its blockers.
--
-- plan: allow full-scan without :epic: a page of the diagram may show any
select
    task.key,
    task.title,
    task.status,
    feature.key as feature_key
from tasks as task
inner join task_details as details on details.task_id = task.id
left join features as feature on feature.id = details.feature_id
where true
    -- if :epic
    and task.id in (select place.task_id from task_places as place where place.epic = :epic)
    -- end if
    and task.id = any(:task_ids)                                    -- if :task_ids
order by task.graph_rank, task.id
limit :limit;

-- name: edges
-- The edges that end at a task of an epic, or all; their blockers may be of other epics.
--
-- plan: allow full-scan without :epic: a page of the diagram may show any
select
    waiting.key,
    blocker.key as blocker_key,
    blocker.title as blocker_title,
    blocker.status as blocker_status,
    edge.dependency_type,
    edge.is_satisfied as satisfied
from tasks as waiting
inner join task_details as details on details.task_id = waiting.id
inner join task_dependencies as edge on edge.task_id = waiting.id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where true
    -- if :epic
    and waiting.id in (select place.task_id from task_places as place where place.epic = :epic)
    -- end if
    and waiting.id = any(:task_ids)                                 -- if :task_ids
order by waiting.graph_rank, waiting.id, blocker.graph_rank, blocker.id
limit :limit;

-- name: feature_nodes
-- The features of an epic, or all, with their progress.
--
-- plan: allow full-scan without :epic: every task counts
select
    feature.key,
    feature.title,
    progress.task_count,
    progress.counted_count,
    progress.completed_count
from feature_progress as progress
inner join features as feature on feature.id = progress.feature_id
where true
    and progress.epic_id = (                                        -- if :epic
        select epic.id                                              -- if :epic
        from epics as epic                                          -- if :epic
        where epic.key = :epic                                      -- if :epic
    )                                                               -- if :epic
order by feature.key
limit :limit;

-- name: feature_edges
-- The edges between two features: their number, and how many are unsatisfied.
--
-- plan: allow full-scan without :epic: every edge counts
select
    waiting_feature.key,
    blocker_feature.key as blocker_key,
    blocker_feature.title as blocker_title,
    count(*) as edge_count,
    count(*) filter (where not edge.is_satisfied) as open_count
from task_dependencies as edge
inner join task_details as waiting on waiting.task_id = edge.task_id
inner join task_details as blocker on blocker.task_id = edge.depends_on_id
inner join features as waiting_feature on waiting_feature.id = waiting.feature_id
inner join features as blocker_feature on blocker_feature.id = blocker.feature_id
where
    edge.dependency_type <> 'suggests'
    and waiting.feature_id <> blocker.feature_id
    -- if :epic
    and waiting.task_id in (select place.task_id from task_places as place where place.epic = :epic)
    -- end if
group by waiting_feature.key, blocker_feature.key, blocker_feature.title
order by waiting_feature.key, blocker_feature.key
limit :limit;

-- name: features_of
-- The features of these tasks, in the order of the list, once a task; tasks without are left out.
--
-- plan: task_details_pkey
select feature.key
from unnest(:task_ids::uuid[]) with ordinality as listed (task_id, position)
inner join task_details as details on details.task_id = listed.task_id
inner join features as feature on feature.id = details.feature_id
order by listed.position;
