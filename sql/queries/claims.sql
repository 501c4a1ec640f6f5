-- Claims. Every write of a holder names the token of its claim. functions/claim_tasks.sql hands
-- tasks out, the trigger tasks_50_apply_change begins and ends claims. An ending that is repeated
-- with its own token returns the same again.

-- name: claim_next
-- The most urgent claimable task, claimed.
select
    claimed.task_id as "task_id!",  -- claim_tasks: no NULL
    claimed.token as "token!",  -- claim_tasks: no NULL
    claimed.claimed_by as "agent!",  -- claim_tasks: no NULL
    claimed.claimed_at as "claimed_at!",  -- claim_tasks: no NULL
    claimed.lease_expires_at as "lease_expires_at!",  -- claim_tasks: no NULL
    claimed.key as "key!",  -- claim_tasks: no NULL
    claimed.title as "title!",  -- claim_tasks: no NULL
    claimed.description,
    claimed.priority as "priority!",  -- claim_tasks: no NULL
    claimed.effective_priority as "effective_priority!",  -- claim_tasks: no NULL
    claimed.only_agents_of_type as agent_type,
    claimed.feature_id,
    claimed.parent_id,
    claimed.estimated_hours,
    claimed.requirements,
    claimed.context,
    claimed.metadata,
    claimed.file_path,
    claimed.failed_attempts as "failed_attempts!"  -- claim_tasks: no NULL
from claim_tasks(
    :agent, :agent_type, :lease, 1, after => :after, request_id => :request_id
) as claimed
limit 1;

-- name: claim_batch
-- Up to :limit claimable tasks, claimed, in the order of the claim.
select
    claimed.task_id as "task_id!",  -- claim_tasks: no NULL
    claimed.token as "token!",  -- claim_tasks: no NULL
    claimed.claimed_by as "agent!",  -- claim_tasks: no NULL
    claimed.claimed_at as "claimed_at!",  -- claim_tasks: no NULL
    claimed.lease_expires_at as "lease_expires_at!",  -- claim_tasks: no NULL
    claimed.key as "key!",  -- claim_tasks: no NULL
    claimed.title as "title!",  -- claim_tasks: no NULL
    claimed.description,
    claimed.priority as "priority!",  -- claim_tasks: no NULL
    claimed.effective_priority as "effective_priority!",  -- claim_tasks: no NULL
    claimed.only_agents_of_type as agent_type,
    claimed.feature_id,
    claimed.parent_id,
    claimed.estimated_hours,
    claimed.requirements,
    claimed.context,
    claimed.metadata,
    claimed.file_path,
    claimed.failed_attempts as "failed_attempts!"  -- claim_tasks: no NULL
from claim_tasks(:agent, :agent_type, :lease, :limit, after => :after) as claimed
order by claimed.effective_priority, claimed.place, claimed.created_at, claimed.task_id;

-- name: claim
-- The task with this key, claimed if it can be; a concurrent claim is waited for.
select
    claimed.task_id as "task_id!",  -- claim_tasks: no NULL
    claimed.token as "token!",  -- claim_tasks: no NULL
    claimed.claimed_by as "agent!",  -- claim_tasks: no NULL
    claimed.claimed_at as "claimed_at!",  -- claim_tasks: no NULL
    claimed.lease_expires_at as "lease_expires_at!",  -- claim_tasks: no NULL
    claimed.key as "key!",  -- claim_tasks: no NULL
    claimed.title as "title!",  -- claim_tasks: no NULL
    claimed.description,
    claimed.priority as "priority!",  -- claim_tasks: no NULL
    claimed.effective_priority as "effective_priority!",  -- claim_tasks: no NULL
    claimed.only_agents_of_type as agent_type,
    claimed.feature_id,
    claimed.parent_id,
    claimed.estimated_hours,
    claimed.requirements,
    claimed.context,
    claimed.metadata,
    claimed.file_path,
    claimed.failed_attempts as "failed_attempts!"  -- claim_tasks: no NULL
from claim_tasks(:agent, null, :lease, 1, only_key => :key, request_id => :request_id) as claimed
limit 1;

-- name: complete_and_claim_next
-- The task completed, and the next one claimed; no row, and no claim, if the token is stale.
select
    done.id as "id!",  -- complete_and_claim: no NULL
    done.key as "key!",  -- complete_and_claim: no NULL
    done.status as "status!",  -- complete_and_claim: no NULL
    done.completed_at,
    (done.next_claim).task_id as next_task_id,
    (done.next_claim).token as next_token,
    (done.next_claim).claimed_by as next_agent,
    (done.next_claim).claimed_at as next_claimed_at,
    (done.next_claim).lease_expires_at as next_lease_expires_at,
    (done.next_claim).key as next_key,
    (done.next_claim).title as next_title,
    (done.next_claim).description as next_description,
    (done.next_claim).priority as next_priority,
    (done.next_claim).effective_priority as next_effective_priority,
    (done.next_claim).only_agents_of_type as next_agent_type,
    (done.next_claim).feature_id as next_feature_id,
    (done.next_claim).parent_id as next_parent_id,
    (done.next_claim).estimated_hours as next_estimated_hours,
    (done.next_claim).requirements as next_requirements,
    (done.next_claim).context as next_context,
    (done.next_claim).metadata as next_metadata,
    (done.next_claim).file_path as next_file_path,
    (done.next_claim).failed_attempts as next_failed_attempts
from complete_and_claim(
    :task_id, :token, :note, :agent, :agent_type, :lease, :after, :request_id
) as done
limit 1;

-- name: heartbeat
-- Renews the lease; no trigger runs.
-- plan: tasks_pkey
update tasks
set
    progress_pct = :progress,                                       -- if :progress
    progress_note = :note,                                          -- if :note
    lease_expires_at = now() + :lease
where
    id = :task_id
    and claim_token = :token
    and claim_agent is not null
returning lease_expires_at as "lease_expires_at!";  -- a live claim has a lease

-- name: heartbeat_many
-- Renews the leases of many claims.
-- plan: tasks_pkey
with live as (
    select task.id
    from unnest(:task_ids::uuid[], :tokens::bigint[]) as given (task_id, token)
    inner join tasks as task on task.id = given.task_id and task.claim_token = given.token
    where task.claim_agent is not null
    order by task.id
    for no key update of task
),

renewed as (
    update tasks as task
    set lease_expires_at = now() + :lease
    from live
    where task.id = live.id
    returning task.id, task.claim_token, task.lease_expires_at
)

select
    given.task_id as "task_id!",  -- an argument
    given.token as "token!",  -- an argument
    renewed.id is not null as was_held,
    renewed.lease_expires_at
from unnest(:task_ids::uuid[], :tokens::bigint[]) with ordinality as given (task_id, token, place)
left join renewed on renewed.id = given.task_id and renewed.claim_token = given.token
order by given.place;

-- name: complete
-- The task completed, by the holder of the live token.
-- plan: tasks_pkey
with ended as (
    update tasks as task
    set
        status_ending = 'completed',
        error_message = null,
        status_note = :note,
        status_agent = task.claim_agent,
        status_outcome = 'completed'
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.claim_agent is not null
    returning task.id, task.key, task.status, task.completed_at
),

worked as (                                                         -- if :actual_hours
    update task_details as details                                  -- if :actual_hours
    set actual_hours = :actual_hours                                -- if :actual_hours
    from ended                                                      -- if :actual_hours
    where details.task_id = ended.id                                -- if :actual_hours
),                                                                  -- if :actual_hours

repeated as (
    select again.id, again.key, again.status, again.completed_at  -- noqa: LT09
    from repeated_ending(:task_id, :token, 'completed') as again
    where not exists (select from ended)
)

select
    ended.id as "id!",  -- repeated_ending: no NULL
    ended.key as "key!",  -- repeated_ending: no NULL
    ended.status as "status!",  -- repeated_ending: no NULL
    ended.completed_at
from ended
union all
select repeated.id, repeated.key, repeated.status, repeated.completed_at  -- noqa: LT09
from repeated
limit 1;

-- name: submit
-- The task submitted for review; the claim ends.
-- plan: tasks_pkey
with ended as (
    update tasks as task
    set
        status_ending = 'in_review',
        error_message = null,
        status_note = :note,
        status_agent = task.claim_agent,
        status_outcome = 'submitted'
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.claim_agent is not null
    returning task.id, task.key, task.status, task.completed_at
)

select
    ended.id as "id!",  -- repeated_ending: no NULL
    ended.key as "key!",  -- repeated_ending: no NULL
    ended.status as "status!",  -- repeated_ending: no NULL
    ended.completed_at
from ended
union all
select repeated.id, repeated.key, repeated.status, repeated.completed_at  -- noqa: LT09
from repeated_ending(:task_id, :token, 'submitted') as repeated
where not exists (select from ended)
limit 1;

-- name: fail
-- The attempt failed. It is tried again after :retry_in; without, after the task's own back-off or
-- else :default_retry_in; and where all are null, or no attempt is left, it failed for good.
-- plan: tasks_pkey
with live as (
    select
        task.id,
        coalesce(
            cast(:retry_in as interval),                            -- if :retry_in
            retry_pause(task.id, task.failed_attempts, :default_retry_in),  -- if not :retry_in
            null
        ) as pause
    from tasks as task
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.claim_agent is not null
    for no key update
),

ended as (
    update tasks as task
    set
        status_ending = case
            when live.pause is null then 'failed' else cast('pending' as shared.task_status)
        end,
        scheduled_at = coalesce(now() + live.pause, task.scheduled_at),
        error_message = :error,
        status_note = :error,
        status_agent = task.claim_agent,
        status_outcome = 'failed'
    from live
    where task.id = live.id
    returning task.id, task.key, task.status, task.completed_at
)

select
    ended.id as "id!",  -- repeated_ending: no NULL
    ended.key as "key!",  -- repeated_ending: no NULL
    ended.status as "status!",  -- repeated_ending: no NULL
    ended.completed_at
from ended
union all
select repeated.id, repeated.key, repeated.status, repeated.completed_at  -- noqa: LT09
from repeated_ending(:task_id, :token, 'failed') as repeated
where not exists (select from ended)
limit 1;

-- name: release
-- The task released, at the cost of no attempt; with :retry_in not before that time.
-- plan: tasks_pkey
with ended as (
    update tasks as task
    set
        status_ending = 'pending',
        scheduled_at = now() + :retry_in,                           -- if :retry_in
        status_note = :note,
        status_agent = task.claim_agent,
        status_outcome = 'released'
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.claim_agent is not null
    returning task.id, task.key, task.status, task.completed_at
)

select
    ended.id as "id!",  -- repeated_ending: no NULL
    ended.key as "key!",  -- repeated_ending: no NULL
    ended.status as "status!",  -- repeated_ending: no NULL
    ended.completed_at
from ended
union all
select repeated.id, repeated.key, repeated.status, repeated.completed_at  -- noqa: LT09
from repeated_ending(:task_id, :token, 'released') as repeated
where not exists (select from ended)
limit 1;

-- name: complete_many
-- Many claims completed in one statement, a row for each pair, in the order given.
-- plan: tasks_pkey
with live as (
    select task.id
    from unnest(:task_ids::uuid[], :tokens::bigint[]) as given (task_id, token)
    inner join tasks as task on task.id = given.task_id and task.claim_token = given.token
    where task.claim_agent is not null
    order by task.id
    for no key update of task
),

ended as (
    update tasks as task
    set
        status_ending = 'completed',
        error_message = null,
        status_agent = task.claim_agent,
        status_outcome = 'completed'
    from live
    where task.id = live.id
    returning task.id, task.claim_token, task.status, task.completed_at
)

select
    given.task_id as "task_id!",  -- an argument
    given.token as "token!",  -- an argument
    coalesce(ended.id, repeated.id) is not null as was_held,
    coalesce(ended.status, repeated.status) as status,
    coalesce(ended.completed_at, repeated.completed_at) as completed_at
from unnest(:task_ids::uuid[], :tokens::bigint[]) with ordinality as given (task_id, token, place)
left join ended on ended.id = given.task_id and ended.claim_token = given.token
left join lateral  -- strict: not called for what has just ended
    repeated_ending(nullif(given.task_id, ended.id), given.token, 'completed') as repeated on true
order by given.place;

-- name: fail_many
-- Many attempts failed in one statement, with one error; each is tried again as after fail.
-- plan: tasks_pkey
with live as (
    select
        task.id,
        coalesce(
            cast(:retry_in as interval),                            -- if :retry_in
            retry_pause(task.id, task.failed_attempts, null),  -- if not :retry_in
            null
        ) as pause
    from unnest(:task_ids::uuid[], :tokens::bigint[]) as given (task_id, token)
    inner join tasks as task on task.id = given.task_id and task.claim_token = given.token
    where task.claim_agent is not null
    order by task.id
    for no key update of task
),

ended as (
    update tasks as task
    set
        status_ending = case
            when live.pause is null then 'failed' else cast('pending' as shared.task_status)
        end,
        scheduled_at = coalesce(now() + live.pause, task.scheduled_at),
        error_message = :error,
        status_note = :error,
        status_agent = task.claim_agent,
        status_outcome = 'failed'
    from live
    where task.id = live.id
    returning task.id, task.claim_token, task.status, task.completed_at
)

select
    given.task_id as "task_id!",  -- an argument
    given.token as "token!",  -- an argument
    coalesce(ended.id, repeated.id) is not null as was_held,
    coalesce(ended.status, repeated.status) as status,
    coalesce(ended.completed_at, repeated.completed_at) as completed_at
from unnest(:task_ids::uuid[], :tokens::bigint[]) with ordinality as given (task_id, token, place)
left join ended on ended.id = given.task_id and ended.claim_token = given.token
left join lateral  -- strict: not called for what has just ended
    repeated_ending(nullif(given.task_id, ended.id), given.token, 'failed') as repeated on true
order by given.place;

-- name: release_many
-- Many tasks released in one statement.
-- plan: tasks_pkey
with live as (
    select task.id
    from unnest(:task_ids::uuid[], :tokens::bigint[]) as given (task_id, token)
    inner join tasks as task on task.id = given.task_id and task.claim_token = given.token
    where task.claim_agent is not null
    order by task.id
    for no key update of task
),

ended as (
    update tasks as task
    set
        status_ending = 'pending',
        scheduled_at = now() + :retry_in,                           -- if :retry_in
        status_note = :note,
        status_agent = task.claim_agent,
        status_outcome = 'released'
    from live
    where task.id = live.id
    returning task.id, task.claim_token, task.status, task.completed_at
)

select
    given.task_id as "task_id!",  -- an argument
    given.token as "token!",  -- an argument
    coalesce(ended.id, repeated.id) is not null as was_held,
    coalesce(ended.status, repeated.status) as status,
    coalesce(ended.completed_at, repeated.completed_at) as completed_at
from unnest(:task_ids::uuid[], :tokens::bigint[]) with ordinality as given (task_id, token, place)
left join ended on ended.id = given.task_id and ended.claim_token = given.token
left join lateral  -- strict: not called for what has just ended
    repeated_ending(nullif(given.task_id, ended.id), given.token, 'released') as repeated on true
order by given.place;

-- name: list_for_task
-- The attempts at a task, the oldest first.
-- plan: tasks_key_is_unique
-- plan: task_history_seq_once_per_task
select
    claim.*,
    task.key
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where task.key = :key
order by claim.token;

-- name: list_live
-- The live claims, the next to lapse first.
-- plan: tasks_by_lease
select
    claim.*,
    task.key
from tasks as task
inner join task_claims as claim on claim.task_id = task.id and claim.token = task.claim_token
where
    task.lease_expires_at is not null
    and task.claim_agent is not null
    and task.claim_agent = :agent                                   -- if :agent
order by task.lease_expires_at, task.id
limit :limit;
