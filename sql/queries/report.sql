-- The report of a plan: its tasks with their history, their blockers, and the latest changes.
-- taskdb/report/ makes the page.

-- name: reported
-- These tasks as a card shows them, each after its blockers.
--
-- plan: allow full-scan: a report is of a plan, and reads what it shows
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    task.claim_agent,
    task.lease_expires_at,
    task.scheduled_at,
    task.blocked_reason,
    details.labels,
    left(details.description, 400) as excerpt,
    parent.key as parent_key,
    feature.key as feature_key,
    task.id in (select ready.id from ready_tasks as ready) as is_ready,
    flow.came_at,
    flow.started_at,
    flow.done_at,
    flow.done_by,
    flow.cycle_time,
    flow.reopened_count,
    flow.skewed as "skewed!",  -- every task has a row of history
    task.completed_at
from tasks as task
inner join task_details as details on details.task_id = task.id
inner join task_flow as flow on flow.task_id = task.id
left join tasks as parent on parent.id = details.parent_id
left join features as feature on feature.id = details.feature_id
where task.id = any(:task_ids)
order by task.graph_rank, task.id;

-- name: waits
-- The dependencies of these tasks, satisfied ones too. A dead one can never be satisfied.
--
-- plan: tasks_pkey
select
    waiting.key,
    blocker.key as blocker_key,
    blocker.title as blocker_title,
    blocker.status as blocker_status,
    edge.dependency_type,
    edge.is_satisfied,
    not edge.is_satisfied
    and (
        blocker.status = 'failed'
        or (edge.dependency_type = 'requires' and blocker.status in ('cancelled', 'archived'))
    ) as is_dead
from task_dependencies as edge
inner join tasks as waiting on waiting.id = edge.task_id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where edge.task_id = any(:task_ids)
order by waiting.graph_rank, waiting.id, blocker.graph_rank, blocker.id;

-- name: blocking_reasons
-- The reasons why these tasks cannot be claimed now, but for dependencies and live claims.
--
-- plan: tasks_pkey
select
    task.key,
    blocked_by.reason,
    blocked_by.detail
from task_blocking_reasons as blocked_by
inner join tasks as task on task.id = blocked_by.task_id
where
    blocked_by.task_id = any(:task_ids)
    and blocked_by.reason not in ('finished', 'in_review', 'claimed', 'dependency')
order by task.graph_rank, task.id, blocked_by.reason, blocked_by.detail;

-- name: durations
-- The cycle times of the tasks that were completed last.
--
-- plan: allow full-scan: a forecast is drawn from finished work of all kinds
with completed as (
    select task.id
    from tasks as task
    where task.status in ('completed', 'archived') and task.completed_at is not null
    order by task.completed_at desc, task.id desc
    limit :limit
)

select
    flow.agent_type,
    flow.cycle_time
from completed
inner join task_flow as flow on flow.task_id = completed.id
where flow.cycle_time > interval '0' and not flow.skewed
order by flow.done_at desc, flow.task_id;

-- name: transitions
-- The changes of these tasks since a moment, the newest first.
--
-- plan: task_history_by_time, task_history_seq_once_per_task
select
    task.key,
    entry.old_status,
    entry.new_status,
    entry.agent,
    left(entry.note, 200) as note,
    entry.created_at
from task_history as entry
inner join tasks as task on task.id = entry.task_id
where
    entry.created_at >= :since
    and entry.task_id = any(:task_ids)
order by entry.created_at desc, entry.task_id desc, entry.seq desc
limit :limit;
