-- Events: waking waiting workers when a task becomes ready; and events read from history.

-- name: wake
-- One NOTIFY with this transaction, if it made a task ready for which a worker waits.
with sent as (
    select pg_notify(ready_channel(), awaited.types)
    from awaited_types(:everyone) as awaited (types)
    where awaited.types is not null
)

select count(*) > 0 as woken from sent;

-- name: start_waiting
-- Has this session woken from now on.
select start_waiting(:agent_type) as "is_waiting!";  -- start_waiting: no NULL

-- name: stop_waiting
-- Stops waking this session.
select stop_waiting() as "was_waiting!";  -- stop_waiting: no NULL

-- name: prove_waiting
-- A notification to this very session; returns its channel.
with proof as (
    select 'taskdb.proof.' || pg_backend_pid() as channel
),

sent as (
    select
        proof.channel,
        pg_notify(proof.channel, '')
    from proof
)

select sent.channel from sent;

-- name: position
-- The moment by the server's clock; the oldest transaction that may still be running, and the next
-- to begin: rows recorded before a moment are complete once all transactions begun by then ended.
select
    clock_timestamp() as moment,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        as "oldest_transaction!",  -- every snapshot has one
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint
        as "next_transaction!";  -- every snapshot has one

-- name: task_events
-- Tasks that became ready, claims, completions and failures recorded since a moment, the oldest
-- first; with :after_task_id and :after_seq, those behind a row of that moment. What an import
-- tells of earlier times is none of them.
--
-- plan: task_history_by_time
select
    entry.created_at,
    entry.task_id,
    entry.seq,
    task.key,
    task.agent_type,
    entry.new_status as status,
    entry.token,
    entry.agent,
    entry.note
from task_history as entry
inner join tasks as task on task.id = entry.task_id
where
    entry.created_at >= :since
    and (entry.created_at, entry.task_id, entry.seq)                -- if :after_task_id :after_seq
    > (:since, :after_task_id, :after_seq)                          -- if :after_task_id :after_seq
    and entry.source is null
    and (
        entry.new_status in ('completed', 'failed')
        or (entry.new_status = 'in_progress' and entry.token is not null)
        or (entry.new_status = 'pending' and entry.seq = task.status_seq and task.is_ready)
    )
order by entry.created_at, entry.task_id, entry.seq
limit :limit;

-- name: ended_executions
-- Executions of workflows that ended since a moment, the oldest first.
--
-- plan: workflow_executions_by_end
select
    execution.id,
    execution.workflow_id,
    workflow.name as workflow,
    execution.status,
    execution.ended_at,
    execution.error_message
from workflow_executions as execution
inner join workflows as workflow on workflow.id = execution.workflow_id
where execution.ended_at >= :since
order by execution.ended_at, execution.id
limit :limit;
