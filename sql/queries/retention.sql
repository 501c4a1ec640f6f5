-- What is old goes, in batches: `taskdb prune`. A batch takes the oldest rows that nobody else has
-- locked, by an index. Claims and history are never among them: a token must not be given twice,
-- and history is what happened.

-- name: cutoff
-- The moment that was so long ago, by the server's clock.
select now() - :older_than::interval as moment;

-- name: count_conversations
-- How many messages are older.
--
-- plan: whole tables: all that is old is counted
select count(*)
from tech_conversations as said
where said.created_at < :before;

-- name: prune_conversations
-- The oldest messages go, so many at most.
--
-- plan: tech_conversations_by_age
with old as (
    select said.id
    from tech_conversations as said
    where said.created_at < :before
    order by said.created_at, said.id
    limit :limit
    for update skip locked
)

delete from tech_conversations as said
using old
where said.id = old.id;

-- name: count_errors
-- How many errors of agents are older.
--
-- plan: whole tables: all that is old is counted
select count(*)
from agent_error_logs as log
where log.created_at < :before;

-- name: prune_errors
-- The oldest errors of agents go, so many at most.
--
-- plan: agent_error_logs_by_age
with old as (
    select log.id
    from agent_error_logs as log
    where log.created_at < :before
    order by log.created_at, log.id
    limit :limit
    for update skip locked
)

delete from agent_error_logs as log
using old
where log.id = old.id;
