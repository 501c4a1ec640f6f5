-- Errors of agents in sessions, the attempts to recover, and the remedies.

-- name: log
-- A new error, without a retry yet.
insert into agent_error_logs as log (session_id, node, error_type, message, stack_trace)
values (:session_id, :node, :error_type, :message, :stack_trace)
returning
    log.id,
    log.session_id,
    log.node,
    log.error_type,
    log.message,
    log.stack_trace,
    log.retry_count,
    log.recovered,
    log.recovery_strategy,
    log.created_at,
    log.updated_at;

-- name: get
-- An error by its id.
--
-- plan: agent_error_logs_pkey
select log.*
from agent_error_logs as log
where log.id = :id;

-- name: count_retry
-- Counts one more retry.
--
-- plan: agent_error_logs_pkey
update agent_error_logs as log
set retry_count = log.retry_count + 1
where log.id = :id
returning log.*;

-- name: mark_recovered
-- Records that the agent recovered, and how.
--
-- plan: agent_error_logs_pkey
update agent_error_logs as log
set
    recovered = true,
    recovery_strategy = :recovery_strategy
where log.id = :id
returning log.*;

-- name: list_for_session
-- The errors of a session, newest first.
--
-- plan: agent_error_logs_by_session
select log.*
from agent_error_logs as log
where
    log.session_id = :session_id
    and (log.created_at, log.id)                                -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by log.created_at desc, log.id desc
limit :limit;

-- name: list_errors
-- Errors of all sessions, newest first. Every filter is optional.
--
-- plan: agent_error_logs_by_age, agent_error_logs_by_node, agent_error_logs_by_recovery,
-- plan: agent_error_logs_by_node_and_recovery
select log.*
from agent_error_logs as log
where true
    and log.node = :node                                            -- if :node
    and log.recovered = :recovered                                  -- if :recovered
    and (log.created_at, log.id)                                -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by log.created_at desc, log.id desc
limit :limit;

-- name: list_recovery
-- The rate at which agents recovered from their errors, ever, by node.
--
-- plan: allow full-scan: it counts all errors
select recovery.*
from error_recovery as recovery
order by recovery.node;

-- name: recovery_since
-- The rate at which agents recovered from the errors since a moment, of one node or of all.
--
-- plan: allow full-scan: a rate over a long time is of all errors in it
select
    count(*) as error_count,
    count(*) filter (where log.recovered) as recovered_count,
    round(100.0 * count(*) filter (where log.recovered) / nullif(count(*), 0), 2) as recovery_pct,
    round(avg(log.retry_count), 2) as average_retries
from agent_error_logs as log
where
    log.created_at >= :since
    and log.node = :node;                                           -- if :node
