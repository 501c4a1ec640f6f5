-- Batched deletion of old rows: `taskdb prune`. A batch takes the oldest rows not locked by other
-- sessions, by an index, and then fetches each, from an array: for a join the planner may assume
-- that the rows are most of the table, and read it whole. Claims and history are never deleted: a
-- token must not be given twice.

-- name: cutoff
-- now() minus :older_than, by the server's clock.
select now() - :older_than::interval as moment;

-- name: count_conversations
-- Count the messages older than :before.
--
-- plan: allow full-scan: all that is old is counted
select count(*)
from tech_conversations as entry
where entry.created_at < :before;

-- name: prune_conversations
-- Delete up to :limit of the oldest messages.
--
-- plan: tech_conversations_by_age
delete from tech_conversations as entry
where
    entry.id = any(
        array(
            select old.id
            from tech_conversations as old
            where old.created_at < :before
            order by old.created_at, old.id
            limit :limit
            for update skip locked
        )
    );

-- name: count_errors
-- Count the errors of agents older than :before.
--
-- plan: agent_error_logs_by_age
select count(*)
from agent_error_logs as log
where log.created_at < :before;

-- name: prune_errors
-- Delete up to :limit of the oldest errors of agents.
--
-- plan: agent_error_logs_by_age
delete from agent_error_logs as log
where
    log.id = any(
        array(
            select old.id
            from agent_error_logs as old
            where old.created_at < :before
            order by old.created_at, old.id
            limit :limit
            for update skip locked
        )
    );
