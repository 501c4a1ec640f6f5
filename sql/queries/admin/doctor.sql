-- Rules that must always hold, as queries that return what breaks them: no row means that it holds.
-- Each reads the whole workspace in one statement, and so in one snapshot: it can run during work.
--
-- They run with nested loops off and without a statement timeout: after a load without ANALYZE,
-- PostgreSQL can't know how large tables are, and a nested loop over two large ones takes minutes.
-- Hashing takes seconds for a million tasks, whatever the statistics. Where a nested loop is the
-- only way its cost counts as huge, which would compile each query first: so JIT is off as well.

-- name: plan_settings
-- The planner settings of the caller's transaction, and its statement timeout.
select
    current_setting('enable_nestloop') as enable_nestloop,
    current_setting('jit') as jit,
    current_setting('statement_timeout') as statement_timeout;  -- a setting always has a value

-- name: change_plan_settings
-- The same, changed until the transaction ends.
select
    set_config('enable_nestloop', :enable_nestloop, true) as enable_nestloop,
    set_config('jit', :jit, true) as jit,
    set_config('statement_timeout', :statement_timeout, true)
        as statement_timeout;  -- the new value

-- name: wrong_ranks
-- 1. A blocker's rank is below that of each of its dependents. While that holds, the graph has no
-- cycle; where it doesn't, there may be one.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'rank' as invariant,
    waiting.key as subject,
    'its rank is ' || waiting.graph_rank || ', and ' || blocker.key
    || ', which it waits for, has ' || blocker.graph_rank as found,
    'a rank above those of all tasks that it waits for' as expected,
    waiting.id as "id?",  -- a finding of the catalogue has none
    waiting.id as waiting_id,
    blocker.id as blocker_id
from task_dependencies as edge
inner join tasks as waiting on waiting.id = edge.task_id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where
    edge.dependency_type <> 'suggests'
    and blocker.graph_rank >= waiting.graph_rank
order by waiting.key, blocker.key;

-- name: edges_around
-- The requires and blocks edges behind those of wrong_ranks, which lead from the tasks :waiting to
-- :awaited. Every cycle is among them: on its way around some edge goes to a rank that is not
-- lower, and no task on it ranks below the lowest of :waiting.
--
-- plan: tasks_pkey
-- plan: task_dependencies_pkey
with region as (
    select task.id
    from task_graph_region(
        :awaited,
        (select min(waiting.graph_rank) from tasks as waiting where waiting.id = any(:waiting))
    ) as task
)

select
    waiting.id,
    waiting.key,
    blocker.key as next_key
from region
inner join task_dependencies as edge
    on edge.task_id = region.id and edge.dependency_type <> 'suggests'
inner join tasks as waiting on waiting.id = edge.task_id
inner join tasks as blocker on blocker.id = edge.depends_on_id
order by waiting.key, blocker.key;

-- name: tasks_below_no_root
-- 1. Every chain of parents ends at a task without one. The tasks returned are in a cycle, or below
-- one.
--
-- plan: allow full-scan: an invariant is one of every row
with recursive rooted as (
    select child.task_id as id
    from task_details as child
    inner join task_details as root on root.task_id = child.parent_id
    where root.parent_id is null
    union all
    -- Lateral, so that each level reads its own children by the index, and not the whole table.
    select below.task_id
    from rooted
    cross join lateral (
        select child.task_id
        from task_details as child
        where child.parent_id = rooted.id
        offset 0
    ) as below
)

select
    task.id,
    task.key,
    parent.key as next_key
from task_details as details
inner join tasks as task on task.id = details.task_id
inner join tasks as parent on parent.id = details.parent_id
left join rooted on rooted.id = details.task_id
where rooted.id is null
order by task.key;

-- name: wrong_edges
-- 2. A dependency is marked satisfied exactly if its blocker's status satisfies it.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'is_satisfied' as invariant,
    waiting.key as subject,
    case when edge.is_satisfied then 'a satisfied' else 'an unsatisfied' end
    || ' dependency on ' || blocker.key || ', which is ' || blocker.status as found,
    case when edge.is_satisfied then 'an unsatisfied' else 'a satisfied' end
    || ' one, as its type is ' || edge.dependency_type as expected,
    waiting.id
from task_dependencies as edge
inner join tasks as waiting on waiting.id = edge.task_id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where
    edge.is_satisfied
    <> is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
order by waiting.key, blocker.key;

-- name: wrong_counts
-- 2. open_dependencies is the number of a task's unsatisfied dependencies.
--
-- plan: allow full-scan: an invariant is one of every row
with open_edges as (
    select
        edge.task_id,
        count(*) as edge_count
    from task_dependencies as edge
    where not edge.is_satisfied
    group by edge.task_id
)

select
    'open_dependencies' as invariant,
    task.key as subject,
    'open_dependencies is ' || task.open_dependencies as found,
    coalesce(open_edges.edge_count, 0) || ', as its edges say' as expected,
    task.id
from tasks as task
left join open_edges on open_edges.task_id = task.id
where task.open_dependencies <> coalesce(open_edges.edge_count, 0)
order by task.key;

-- name: wrong_priority
-- 6. A task's effective priority is its own, or that of its most urgent active dependent. As the
-- graph has no cycle, what holds for each task and its neighbours is what recomputation of the
-- whole plan would give.
-- plan: allow full-scan: an invariant is one of every row
with demand as (
    select
        edge.depends_on_id as task_id,
        min(dependent.effective_priority::int) as priority
    from task_dependencies as edge
    inner join tasks as dependent on dependent.id = edge.task_id
    where
        edge.dependency_type <> 'suggests'
        and is_active(dependent.status, dependent.completed_at)
    group by edge.depends_on_id
)

select
    'effective_priority' as invariant,
    task.key as subject,
    'effective_priority is ' || task.effective_priority as found,
    least(task.priority::int, demand.priority) || ', by its priority '
    || task.priority
    || coalesce(' and ' || demand.priority || ' of what waits for it', '') as expected,
    task.id
from tasks as task
left join demand on demand.task_id = task.id
where task.effective_priority <> least(task.priority::int, demand.priority)
order by task.key;

-- name: wrong_blocks
-- 2. A pending task has neither an open dependency nor a reason, a blocked one has one or the
-- other, and no other status has a reason.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'blocked' as invariant,
    task.key as subject,
    'it is ' || task.status || ' with ' || task.open_dependencies || ' open dependencies and '
    || coalesce('the reason "' || task.blocked_reason || '"', 'no reason') as found,
    case task.status
        when 'pending' then 'neither'
        when 'blocked' then 'one or the other'
        else 'no reason'
    end as expected,
    task.id
from tasks as task
where
    (task.status = 'pending' and task.open_dependencies > 0)
    or (
        task.status = 'blocked'
        and task.open_dependencies = 0
        and task.blocked_reason is null
    )
    or (task.status <> 'blocked' and task.blocked_reason is not null)
order by task.key;

-- name: wrong_bindings
-- 2. A task that is bound to a dead blocker does not wait for it, unless a person reopened it.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'binding' as invariant,
    task.key as subject,
    'it is ' || task.status || ', and bound to ' || blocker.key || ', which is '
    || blocker.status as found,
    'cancelled with it, as its type is ' || edge.dependency_type as expected,
    task.id
from task_dependencies as edge
inner join tasks as task on task.id = edge.task_id
inner join tasks as blocker on blocker.id = edge.depends_on_id
inner join task_history as latest
    on latest.task_id = task.id and latest.seq = task.status_seq
where
    edge.dependency_type in ('cancelled_with', 'compensates')
    and is_dead(edge.dependency_type, blocker.status, blocker.completed_at)
    and task.status in ('pending', 'blocked')
    and (
        latest.automatic
        or latest.old_status is null
        or latest.old_status not in ('completed', 'failed', 'cancelled', 'archived')
    )
order by task.key, blocker.key;

-- name: wrong_attempts
-- 2. An open task has an attempt left.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'attempts' as invariant,
    task.key as subject,
    'it is ' || task.status || ' after ' || task.failed_attempts || ' of ' || task.max_attempts
    || ' attempts' as found,
    'failed' as expected,
    task.id
from tasks as task
where
    task.status in ('pending', 'blocked')
    and task.failed_attempts >= greatest(task.max_attempts, 1)
order by task.key;

-- name: wrong_moments
-- 2. blocked_at is set exactly while a task is blocked, completed_at from its completion on until
-- it reopens, and started_at once it was in progress.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'moment' as invariant,
    task.key as subject,
    'it is ' || task.status || ', and ' || moment.name
    || case when moment.is_there then ' is set' else ' is null' end as found,
    case when moment.is_there then 'none' else 'the moment of that' end as expected,
    task.id
from tasks as task
cross join lateral (
    values
    ('blocked_at', task.blocked_at is not null, task.status = 'blocked'),
    (
        'completed_at',
        task.completed_at is not null,
        task.status = 'completed' or (task.status = 'archived' and task.completed_at is not null)
    ),
    (
        'started_at',
        task.started_at is not null,
        task.status = 'in_progress' or task.started_at is not null
    )
) as moment (name, is_there, is_due)
where moment.is_there <> moment.is_due
order by task.key, moment.name;

-- name: wrong_times
-- 4. The moments of a task are those of the transitions in its history that set them; where the
-- task was created with them, they are not after its creation. History does not go back in time,
-- and nothing is in the future. What was imported has its tracker's times.
--
-- plan: allow full-scan: an invariant is one of every row
with start as (
    select distinct on (entry.task_id)
        entry.task_id,
        entry.created_at
    from task_history as entry
    where entry.new_status = 'in_progress' and entry.seq > 1
    order by entry.task_id, entry.seq desc
)

select
    'time' as invariant,
    task.key as subject,
    moment.name || ' is ' || coalesce(moment.at::text, 'null') as found,
    coalesce(moment.expected::text, 'null') || ', as its history says' as expected,
    task.id
from tasks as task
inner join task_history as latest
    on latest.task_id = task.id and latest.seq = task.status_seq and latest.seq > 1
left join task_history as earlier
    on earlier.task_id = task.id and earlier.seq = task.status_seq - 1
left join start on start.task_id = task.id
cross join lateral (
    values
    (
        'started_at',
        task.started_at,
        start.created_at,
        start.task_id is not null
        and (task.started_at is not null or task.status <> 'in_progress')
    ),
    (
        'blocked_at',
        task.blocked_at,
        latest.created_at,
        task.status = 'blocked' and task.blocked_at is not null
    ),
    (
        'completed_at',
        task.completed_at,
        latest.created_at,
        task.status = 'completed' and task.completed_at is not null
    ),
    (
        'completed_at',
        task.completed_at,
        case
            when earlier.new_status <> 'completed' then null
            when earlier.seq > 1 then earlier.created_at
            else coalesce(task.completed_at, earlier.created_at)
        end,
        task.status = 'archived'
    )
) as moment (name, at, expected, is_known)
where
    latest.new_status = task.status
    and moment.is_known
    and moment.at is distinct from moment.expected
union all
select
    'time',
    task.key,
    moment.name || ' is ' || moment.at,
    'not after ' || creation.created_at || ', when it was created',
    task.id
from tasks as task
inner join task_history as creation on creation.task_id = task.id and creation.seq = 1
left join imported_tasks as imported on imported.task_id = task.id
left join start on start.task_id = task.id
cross join lateral (
    values
    ('created_at', task.created_at, true),
    ('started_at', task.started_at, start.task_id is null),
    ('blocked_at', task.blocked_at, task.status_seq = 1),
    ('completed_at', task.completed_at, task.status_seq = 1)
) as moment (name, at, is_of_creation)
where
    moment.is_of_creation
    and moment.at > creation.created_at
    and creation.token is null
    and imported.task_id is null
union all
select
    'time',
    task.key,
    'row ' || entry.seq || ' of its history is of ' || entry.created_at,
    'not before ' || earlier.created_at || ', the time of row ' || earlier.seq,
    task.id
from task_history as entry
inner join tasks as task on task.id = entry.task_id
inner join task_history as earlier
    on earlier.task_id = entry.task_id and earlier.seq = entry.seq - 1
where entry.seq > 1 and entry.created_at < earlier.created_at and entry.source is null
union all
select
    'time',
    task.key,
    'row ' || entry.seq || ' of its history is of ' || entry.created_at,
    'a time of the past',
    task.id
from task_history as entry
inner join tasks as task on task.id = entry.task_id
where entry.created_at > clock_timestamp()
order by subject, found;

-- name: left_metadata
-- 4. The transition metadata of a task is null at rest: the next change would go by it.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'metadata' as invariant,
    task.key as subject,
    metadata.name || ' is ' || metadata.value as found,
    'null at rest' as expected,
    task.id
from tasks as task
cross join lateral (
    values
    ('status_agent', task.status_agent),
    ('status_note', task.status_note),
    ('status_forced', task.status_forced::text),
    ('status_outcome', task.status_outcome::text),
    ('status_ending', task.status_ending::text),
    ('status_source', task.status_source::text),
    ('status_at', task.status_at::text)
) as metadata (name, value)
where metadata.value is not null
order by task.key, metadata.name;

-- name: wrong_claims
-- 3. Only a task in progress is claimed, with an agent, a token and a lease. Without a claim these
-- columns are null.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'claim' as invariant,
    task.key as subject,
    'it is ' || task.status || case
        when task.claim_agent is null
            then ' without a claim, and ' || concat_ws(
                ', ',
                case when task.lease_expires_at is not null then 'lease_expires_at' end,
                case when task.claim_request_id is not null then 'claim_request_id' end,
                case when task.progress_pct is not null then 'progress_pct' end,
                case when task.progress_note is not null then 'progress_note' end
            ) || ' is set'
        when task.lease_expires_at is null
            then ', claimed by ' || task.claim_agent || ' without a lease'
        when task.claim_token < 1
            then ', claimed by ' || task.claim_agent || ' with token ' || task.claim_token
        else ' and claimed by ' || task.claim_agent
    end as found,
    'a task in progress with a token and a lease, or no claim' as expected,
    task.id
from tasks as task
where
    (
        task.claim_agent is not null
        and (
            task.status <> 'in_progress'
            or task.lease_expires_at is null
            or task.claim_token < 1
        )
    )
    or (
        task.claim_agent is null
        and (
            task.lease_expires_at is not null
            or task.claim_request_id is not null
            or task.progress_pct is not null
            or task.progress_note is not null
        )
    )
order by task.key;

-- name: endless_leases
-- 3. No lease is endless: no claiming call gives one of more than a year.
--
-- plan: tasks_by_lease
select
    'lease' as invariant,
    task.key as subject,
    'the lease of ' || task.claim_agent || ' ends at ' || task.lease_expires_at as found,
    'within 366 days' as expected,
    task.id
from tasks as task
where task.lease_expires_at > now() + interval '366 days' and task.claim_agent is not null
order by task.key;

-- name: wrong_holders
-- 3. The holder of a live claim is the agent of the history row that began it.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'holder' as invariant,
    task.key as subject,
    'it is claimed by ' || task.claim_agent as found,
    'claimed by ' || latest.agent || ', as row ' || latest.seq || ' of its history says'
        as expected,
    task.id
from tasks as task
inner join task_history as latest
    on latest.task_id = task.id and latest.seq = task.status_seq
where
    task.claim_agent is not null
    and task.claim_agent <> latest.agent
    and latest.token is not null
order by task.key;

-- name: wrong_failures
-- 3. failed_attempts counts the claims that failed or lapsed since the task last reopened.
--
-- plan: allow full-scan: an invariant is one of every row
with reopening as (
    select
        entry.task_id,
        max(entry.seq) as seq
    from task_history as entry
    where
        entry.seq > 0
        and entry.old_status in ('completed', 'failed', 'cancelled', 'archived')
        and entry.new_status in ('pending', 'blocked', 'in_progress', 'in_review')
    group by entry.task_id
),

failure as (
    select
        entry.task_id,
        count(*) as failure_count
    from task_history as entry
    left join reopening on reopening.task_id = entry.task_id
    where
        entry.outcome in ('failed', 'lapsed')
        and entry.seq > coalesce(reopening.seq, 0)
    group by entry.task_id
)

select
    'failures' as invariant,
    task.key as subject,
    'failed_attempts is ' || task.failed_attempts as found,
    coalesce(failure.failure_count, 0) || ', as its history says' as expected,
    task.id
from tasks as task
left join failure on failure.task_id = task.id
where task.failed_attempts <> coalesce(failure.failure_count, 0)
order by task.key;

-- name: wrong_claim_records
-- 3. History has each claim once: the row that begins it carries its token, and the next row of
-- the task ends it with that token and an outcome. Only a live claim has no end yet.
--
-- plan: allow full-scan: an invariant is one of every row
with claim_row as (
    select
        entry.task_id,
        entry.seq,
        entry.token,
        entry.outcome,
        entry.agent,
        entry.new_status = 'in_progress' and entry.token is not null as begins,
        coalesce(earlier.new_status = 'in_progress' and earlier.token is not null, false)
            as follows_beginning,
        later.seq is not null as is_followed,
        coalesce(later.token = entry.token and later.outcome is not null, false) as is_ended
    from task_history as entry
    left join task_history as earlier
        on earlier.task_id = entry.task_id and earlier.seq = entry.seq - 1
    left join task_history as later
        on later.task_id = entry.task_id and later.seq = entry.seq + 1
    where entry.token is not null or entry.outcome is not null
)

select
    'claim_record' as invariant,
    task.key as subject,
    'row ' || claim_row.seq || ' of its history begins the claim of ' || claim_row.agent
    || ' (token ' || claim_row.token || '), and '
    || case
        when claim_row.is_followed then 'the next row does not end it'
        else 'it is neither live nor ended'
    end as found,
    'a live claim, or an end with the same token and an outcome' as expected,
    task.id
from claim_row
inner join tasks as task on task.id = claim_row.task_id
where
    claim_row.begins
    and claim_row.token is not null
    and case
        when claim_row.is_followed then not claim_row.is_ended
        else task.claim_agent is null
    end
union all
select
    'claim_record',
    task.key,
    'row ' || claim_row.seq || ' of its history ends a claim ('
    || coalesce('token ' || claim_row.token, 'no token') || ', '
    || coalesce(claim_row.outcome::text, 'no outcome')
    || '), and the row before it begins none',
    'an end right behind its beginning',
    task.id
from claim_row
inner join tasks as task on task.id = claim_row.task_id
where not claim_row.begins and not claim_row.follows_beginning
union all
select
    'claim_record',
    task.key,
    'it is claimed by ' || task.claim_agent || ', and row ' || latest.seq
    || ' of its history, the latest, begins no claim',
    'the beginning of the live claim',
    task.id
from tasks as task
inner join task_history as latest
    on latest.task_id = task.id and latest.seq = task.status_seq
where task.claim_agent is not null and task.status = 'in_progress' and latest.token is null
order by subject, found;

-- name: wrong_tokens
-- 3. A task's claims have the tokens 1, 2, 3 and so on. A restore raises claim_token to the next
-- million, from which the claims count on (finish_restore). claim_token is the newest token, unless
-- a restore has raised it since and no claim is live.
--
-- plan: allow full-scan: an invariant is one of every row
with beginning as (
    select
        entry.task_id,
        entry.token,
        lag(entry.token, 1, 0::bigint) over (partition by entry.task_id order by entry.seq)
            as earlier_token
    from task_history as entry
    where entry.new_status = 'in_progress' and entry.token is not null
),

newest as (
    select
        beginning.task_id,
        max(beginning.token) as token
    from beginning
    group by beginning.task_id
)

select
    'token' as invariant,
    task.key as subject,
    'a claim with token ' || beginning.token || case
        when beginning.earlier_token = 0 then ' is the first'
        else ' follows one with ' || beginning.earlier_token
    end as found,
    beginning.earlier_token + 1 || ', the next one' as expected,
    task.id
from beginning
inner join tasks as task on task.id = beginning.task_id
where
    beginning.token <> beginning.earlier_token + 1
    and (beginning.token <= beginning.earlier_token or beginning.token % 1000000 <> 1)
union all
select
    'token',
    task.key,
    'claim_token is ' || task.claim_token,
    coalesce(newest.token, 0) || ', as its newest claim in history says',
    task.id
from tasks as task
left join newest on newest.task_id = task.id
where
    task.claim_token <> coalesce(newest.token, 0)
    and (
        task.claim_agent is not null
        or task.claim_token < coalesce(newest.token, 0)
        or task.claim_token % 1000000 <> 0
    )
order by subject, found;

-- name: wrong_completions
-- 3. A claim that ended as completed completed its task. wrong_claim_records covers that it did so
-- once; broken_history and forbidden_transitions cover that nobody had the task afterwards unless
-- it reopened.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'completion' as invariant,
    task.key as subject,
    'row ' || entry.seq || ' of its history ends the claim of ' || entry.agent
    || ' as completed, and the task is ' || entry.new_status as found,
    'a task completed by it' as expected,
    task.id
from task_history as entry
inner join tasks as task on task.id = entry.task_id
where entry.outcome = 'completed' and entry.new_status <> 'completed'
order by task.key, entry.seq;

-- name: wrong_last_transitions
-- 4. The last row of a task's history has its status.
--
-- plan: allow full-scan: an invariant is one of every row
with latest as (
    select distinct on (entry.task_id)
        entry.task_id,
        entry.seq,
        entry.new_status
    from task_history as entry
    where entry.seq > 0
    order by entry.task_id, entry.seq desc
)

select
    'last_transition' as invariant,
    task.key as subject,
    coalesce(
        'its history ends with ' || latest.new_status || ' (seq ' || latest.seq || ')',
        'it has no history'
    ) as found,
    task.status || ' (seq ' || task.status_seq || '), which is where it stands' as expected,
    task.id
from tasks as task
left join latest on latest.task_id = task.id
where
    latest.new_status is distinct from task.status
    or latest.seq <> task.status_seq
order by task.key;

-- name: broken_history
-- 4. A task's history has no gap: each row begins where the one before it ended, and the
-- first begins with nothing. Imported rows, and no others, stand before the first, also without a
-- gap; what an importer found later has a source as well.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'history' as invariant,
    task.key as subject,
    'row ' || entry.seq || ' of its history goes from '
    || coalesce(entry.old_status::text, 'nothing') || ' to ' || entry.new_status
    || coalesce(', with the source ' || entry.source, '') as found,
    case
        when entry.seq <= 0 and entry.source is null then 'a row with a source'
        when entry.seq <= 0 then 'a row ' || entry.seq + 1 || ' behind it'
        when entry.seq = 1 and entry.source is not null then 'no source'
        when entry.seq = 1 then 'from nothing'
        when earlier.seq is null then 'a row ' || entry.seq - 1 || ' before it'
        else 'from ' || earlier.new_status || ', where row ' || earlier.seq || ' ended'
    end as expected,
    task.id
from task_history as entry
inner join tasks as task on task.id = entry.task_id
left join task_history as earlier
    on earlier.task_id = entry.task_id and earlier.seq = entry.seq - 1
left join task_history as later
    on later.task_id = entry.task_id and later.seq = entry.seq + 1 and later.seq <= 1
where
    (entry.seq = 1 and entry.old_status is not null)
    or (entry.seq > 1 and entry.old_status is distinct from earlier.new_status)
    or (entry.seq > 1 and earlier.seq is null)
    or (entry.seq <= 0 and (entry.source is null or later.seq is null))
    or (entry.seq = 1 and entry.source is not null)
order by task.key, entry.seq;

-- name: forbidden_transitions
-- 4. Each transition is one that is allowed today, or was forced, imported or automatic. A
-- transition to pending or to blocked ends in the one that the dependencies demand; a task without
-- an attempt left fails.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'transition' as invariant,
    task.key as subject,
    'it went from ' || entry.old_status || ' to ' || entry.new_status || ' (seq ' || entry.seq
    || ', by ' || entry.agent || ')' as found,
    'a row of task_status_transitions, or a forced one' as expected,
    task.id
from task_history as entry
inner join tasks as task on task.id = entry.task_id
where
    entry.seq > 1
    and entry.old_status is not null
    and not entry.forced
    and not exists (
        select from task_status_transitions as allowed
        where
            allowed.old_status = entry.old_status
            and (
                allowed.new_status = entry.new_status
                or (
                    allowed.new_status in ('pending', 'blocked')
                    and entry.new_status in ('pending', 'blocked')
                    and entry.old_status <> entry.new_status
                )
            )
    )
    and not (
        entry.automatic
        and entry.old_status in ('pending', 'blocked')
        and entry.new_status in ('pending', 'blocked')
    )
    and not (
        entry.old_status in ('pending', 'blocked')
        and entry.new_status = 'failed'
        and entry.note is not null
    )
order by task.key, entry.seq;

-- name: unnoticed_removals
-- 4. A plain claim or completion is looked up if its transition was taken out: the trigger that
-- counts removals may have been off.
select
    'transition' as invariant,
    'task_status_transitions' as subject,
    format('no %s to %s, and claims are not looked up', plain.old_status, plain.new_status)
        as found,
    'a removal counted by task_status_transition_removals' as expected,
    null::uuid as id
from (
    values ('pending'::task_status, 'in_progress'::task_status), ('in_progress', 'completed')
) as plain (old_status, new_status)
where
    not exists (
        select from task_status_transitions as allowed
        where
            allowed.old_status = plain.old_status and allowed.new_status = plain.new_status
    )
    and not (select counted.is_called from task_status_transition_removals as counted)
order by found;

-- name: wrong_progress
-- 6. A feature's cached progress_pct follows from the counts it was computed from. It may be older
-- than the latest completion: update_progress refreshes it.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'progress' as invariant,
    feature.key as subject,
    'progress_pct is ' || feature.progress_pct || ', computed from '
    || feature.progress_completed_count || ' of ' || feature.progress_counted_count
    || ' tasks' as found,
    exact.progress_pct || ', by its ' || exact.completed_count || ' of ' || exact.counted_count
    || ' tasks today' as expected,
    feature.id
from features as feature
inner join feature_progress as exact on exact.feature_id = feature.id
where
    feature.progress_pct <> coalesce(
        round(
            100.0 * feature.progress_completed_count
            / nullif(feature.progress_counted_count, 0),
            2
        ),
        0
    )
order by feature.key;

-- name: wrong_text
-- 6. task_search has the current text of the tasks.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'search_text' as invariant,
    task.key as subject,
    case
        when indexed.task_id is null then 'task_search has no row for it'
        else 'task_search has another text'
    end as found,
    'the words of its title and description' as expected,
    task.id
from tasks as task
inner join task_details as details on details.task_id = task.id
left join task_search as indexed on indexed.task_id = task.id
where
    indexed.title is distinct from task.title
    or indexed.document is distinct from task_document(task.title, details.description)
order by task.key;

-- name: wrong_references
-- Each foreign key names a row that is there, also where its triggers were off for a while.
select
    'reference' as invariant,
    dangling.constraint_name as "subject!",  -- dangling_references: no NULL
    dangling.reference || ' is no row of ' || dangling.referenced_name || '; rows of '
    || dangling.table_name || ' that name it: ' || dangling.row_count
        as "found!",  -- dangling_references: no NULL
    'a row of ' || dangling.referenced_name as "expected!",  -- dangling_references: no NULL
    null::uuid as id
from dangling_references() as dangling
order by dangling.constraint_name, dangling.reference;

-- name: missing_details
-- 6. Every task has its row of task_details. Its key rules out a second one.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'details' as invariant,
    task.key as subject,
    'no row in task_details' as found,
    'one row' as expected,
    task.id
from tasks as task
left join task_details as details on details.task_id = task.id
where details.task_id is null
order by task.key;

-- name: wrong_copies
-- 6. The columns that task_details copies from tasks, for its indexes, are the same there.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'copy' as invariant,
    task.key as subject,
    copied.name || ' ' || coalesce(copied.value, 'null') || ' in task_details' as found,
    copied.name || ' ' || coalesce(copied.original, 'null') || ', as in tasks' as expected,
    task.id
from tasks as task
inner join task_details as details on details.task_id = task.id
cross join lateral (
    values
    ('priority', details.priority::text, task.priority::text),
    ('agent_type', details.agent_type::text, task.agent_type::text),
    ('assigned_agent', details.assigned_agent::text, task.assigned_agent::text),
    ('created_at', details.created_at::text, task.created_at::text)
) as copied (name, value, original)
where copied.value is distinct from copied.original
order by task.key, copied.name;

-- name: wrong_derived
-- 6. The columns that triggers derive for the indexes of the claim agree with their sources. A task
-- that once had files or dependents may keep the mark; and is_paused of finished tasks does not
-- matter.
--
-- plan: allow full-scan: an invariant is one of every row
with awaited as (
    select distinct edge.depends_on_id as task_id
    from task_dependencies as edge
    where edge.dependency_type <> 'suggests'
)

select
    'derived' as invariant,
    task.key as subject,
    derived.name || ' ' || derived.value as found,
    derived.name || ' ' || derived.expected as expected,
    task.id
from tasks as task
left join implementation_tasks as work on work.task_id = task.id
left join awaited on awaited.task_id = task.id
left join task_details as details on details.task_id = task.id
left join features as feature on feature.id = details.feature_id
cross join lateral (
    values
    (
        'reserved_for',
        quote_literal(task.reserved_for),
        quote_literal(coalesce(task.assigned_agent, ''))
    ),
    (
        'for_type',
        quote_literal(task.for_type),
        quote_literal(coalesce(task.agent_type, ''))
    ),
    ('place', task.place::text, coalesce(task.execution_order, 2147483647)::text),
    (
        'is_due',
        task.is_due::text,
        case
            when task.scheduled_at is null then true
            when task.scheduled_at > clock_timestamp() then false
            else task.is_due
        end::text
    ),
    (
        'is_paused',
        task.is_paused::text,
        case
            when task.status in ('completed', 'failed', 'cancelled', 'archived')
                then task.is_paused
            -- Sets that are hashed once: of n tasks and m pauses, n look-ups and not n times m.
            else exists (
                select from claim_pauses as pause
                where num_nonnulls(pause.epic_id, pause.feature_id, pause.agent_type) = 0
            )
            or coalesce(
                task.agent_type in (
                    select pause.agent_type
                    from claim_pauses as pause
                    where pause.agent_type is not null
                ),
                false
            )
            or coalesce(
                feature.id in (
                    select pause.feature_id
                    from claim_pauses as pause
                    where pause.feature_id is not null
                ),
                false
            )
            or coalesce(
                feature.epic_id in (
                    select pause.epic_id
                    from claim_pauses as pause
                    where pause.epic_id is not null
                ),
                false
            )
        end::text
    ),
    (
        'is_ready',
        task.is_ready::text,
        (
            task.status = 'pending'
            and task.is_due
            and task.unhealthy_dependencies = 0
            and task.workflow_is_healthy
            and not task.is_paused
            and not task.waits_for_slot
        )::text
    ),
    (
        'waits_for_slot',
        task.waits_for_slot::text,
        (
            task.waits_for_slot
            and task.concurrency_key is not null
            and task.status = 'pending'
            and task.is_due
            and task.unhealthy_dependencies = 0
            and task.workflow_is_healthy
            and not task.is_paused
        )::text
    ),
    (
        'has_files',
        task.has_files::text,
        (task.has_files or coalesce(cardinality(work.assigned_files) > 0, false))::text
    ),
    (
        'has_dependents',
        task.has_dependents::text,
        (task.has_dependents or awaited.task_id is not null)::text
    ),
    (
        'is_passed_on',
        task.is_passed_on::text,
        (task.is_passed_on or task.has_dependents)::text
    )
) as derived (name, value, expected)
where derived.value <> derived.expected
order by task.key, derived.name;

-- name: slow_catalogue
-- The tables that every claim writes have no rule that PostgreSQL parses again at length in each
-- statement: no trigger with a long WHEN clause, no CHECK over several columns, no generated
-- column.
-- docs/decisions/0018-task-core.md
with hot as (
    select
        class.oid,
        class.relname::text as name
    from pg_class as class
    where class.oid in (to_regclass('tasks'), to_regclass('task_history'))
)

select
    'hot_path' as invariant,
    trigger.tgname::text as subject,
    'a trigger of ' || hot.name || ' with a WHEN clause of more than a column' as found,
    'its condition inside its function' as expected,
    null::uuid as id
from pg_trigger as trigger
inner join hot on hot.oid = trigger.tgrelid
-- A condition of one column costs less than the call that it saves; deletions are rare.
where
    trigger.tgqual is not null
    and trigger.tgqual::text not like '{VAR %'
    and trigger.tgtype & 20 <> 0
union all
select
    'hot_path',
    rule.conname::text,
    'a CHECK of ' || hot.name || ' over ' || cardinality(rule.conkey) || ' columns',
    'its condition inside apply_task_change',
    null
from pg_constraint as rule
inner join hot on hot.oid = rule.conrelid
where rule.contype = 'c' and cardinality(rule.conkey) > 1
union all
select
    'hot_path',
    hot.name || '.' || generated.attname,
    'a generated column',
    'a column that a trigger keeps',
    null
from pg_attribute as generated
inner join hot on hot.oid = generated.attrelid
where generated.attgenerated <> '' and not generated.attisdropped
order by subject;

-- name: idle_triggers
-- Every trigger of the workspace fires, and each guard has the row that its transactions meet at.
select
    'trigger' as invariant,
    trigger.tgname::text as subject,
    'a trigger of ' || class.relname || ' that is turned off' as found,
    'on' as expected,
    null::uuid as id
from pg_trigger as trigger
inner join pg_class as class on class.oid = trigger.tgrelid
where
    class.relnamespace = current_schema()::regnamespace
    and trigger.tgenabled not in ('O', 'A')
union all
select
    'guard' as invariant,
    needed.name,
    'no row',
    'one row',
    null
from (values ('parents'), ('pauses'), ('spec_dependencies')) as needed (name)
where not exists (select from guards as guard where guard.name = needed.name)
order by subject, found;

-- name: overdue
-- The tasks overdue for more than :patience, which no claim has found: no agent takes this kind of
-- work. The next claiming call handles them; see pass_time.
--
-- plan: tasks_by_lease
-- plan: tasks_by_schedule
select
    task.id,
    task.key,
    'the lease of ' || task.claim_agent || ' lapsed' as reason,
    task.lease_expires_at as since
from tasks as task
where
    -- The statistics know how many are past, but not what :patience is.
    task.lease_expires_at < now()
    and task.lease_expires_at < now() - :patience::interval
    and task.claim_agent is not null
union all
select
    task.id,
    task.key,
    'its schedule has passed',
    task.scheduled_at
from tasks as task
where
    not task.is_due
    and task.scheduled_at < now()
    and task.scheduled_at < now() - :patience::interval
    and task.status = 'pending'
order by since, key;

-- name: wrong_readiness
-- 7. A task is in ready_tasks exactly if task_blocking_reasons has no row of it.
--
-- plan: allow full-scan: an invariant is one of every row
with ready as (
    select distinct task.id
    from ready_tasks as task
),

obstructed as (
    select distinct blocked_by.task_id
    from task_blocking_reasons as blocked_by
)

select
    'readiness' as invariant,
    task.key as subject,
    case
        when ready.id is null then 'it is not ready, and nothing stands in its way'
        else 'it is ready, and yet ' || (
            select string_agg(blocked_by.detail, '; ' order by blocked_by.detail)
            from task_blocking_reasons as blocked_by
            where blocked_by.task_id = task.id
        )
    end as "found!",  -- whatever is blocked has a reason
    'ready, if and only if nothing stands in its way' as expected,
    task.id
from tasks as task
left join ready on ready.id = task.id
left join obstructed on obstructed.task_id = task.id
where (ready.id is null) = (obstructed.task_id is null)
order by task.key;

-- name: wrong_health
-- 6. unhealthy_dependencies counts the required external dependencies that are unhealthy.
--
-- plan: allow full-scan: an invariant is one of every row
with unhealthy as (
    select
        dependency.task_id,
        dependency.workflow_id,
        count(*) as dependency_count
    from external_dependencies as dependency
    where dependency.is_required and dependency.health = 'unhealthy'
    group by dependency.task_id, dependency.workflow_id
)

select
    'unhealthy_dependencies' as invariant,
    task.key as subject,
    'unhealthy_dependencies is ' || task.unhealthy_dependencies as found,
    coalesce(unhealthy.dependency_count, 0) || ', as its external dependencies say' as expected,
    task.id
from tasks as task
left join unhealthy on unhealthy.task_id = task.id
where task.unhealthy_dependencies <> coalesce(unhealthy.dependency_count, 0)
union all
select
    'unhealthy_dependencies',
    workflow.name,
    'unhealthy_dependencies is ' || workflow.unhealthy_dependencies,
    coalesce(unhealthy.dependency_count, 0) || ', as its external dependencies say',
    workflow.id
from workflows as workflow
left join unhealthy on unhealthy.workflow_id = workflow.id
where workflow.unhealthy_dependencies <> coalesce(unhealthy.dependency_count, 0)
order by subject;

-- name: wrong_workflow_health
-- 6. A task is as healthy as its workflow; one of no workflow counts nothing unhealthy.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'workflow_health' as invariant,
    task.key as subject,
    'workflow_is_healthy is ' || task.workflow_is_healthy as found,
    coalesce(workflow.is_healthy, true) || ', as its workflow is' as expected,
    task.id
from tasks as task
left join workflows as workflow on workflow.id = task.workflow_id
where task.workflow_is_healthy <> coalesce(workflow.is_healthy, true)
order by task.key;

-- name: step_cycles
-- 1. The needs of a workflow's steps have no cycle.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'step_cycle' as invariant,
    cycle.name as subject,
    array_to_string(cycle.path, ' -> ') || ', where each needs the next' as found,
    'no cycle' as expected,
    cycle.id
from (
    select
        workflow.id,
        workflow.name,
        step_cycle(
            array(
                select step.id
                from workflow_steps as step
                where step.workflow_id = workflow.id
                order by step.id
            )
        ) as path
    from workflows as workflow
    -- A need without its step is a finding of wrong_references.
    where not exists (
        select
        from workflow_step_needs as need
        left join workflow_steps as step on step.id = need.step_id
        left join workflow_steps as needed on needed.id = need.needs_id
        where need.workflow_id = workflow.id and (step.id is null or needed.id is null)
    )
    offset 0
) as cycle
where cycle.path is not null
order by cycle.name, cycle.id;

-- name: left_steps
-- An execution that has ended has no open step, and no step begins before its needs are done.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'step_of_ended' as invariant,
    step.key as subject,
    'it is ' || step.status || ', and its execution ' || execution.status as found,
    'a step that has ended' as expected,
    execution.id
from workflow_executions as execution
inner join execution_steps as step on step.execution_id = execution.id
where execution.status <> 'running' and step.ended_at is null
union all
select
    'step_before_needs' as invariant,
    step.key,
    'it is ' || step.status || ', and ' || need.key || ', which it needs, ' || need.status,
    'a step that waits for what it needs',
    step.execution_id
from execution_steps as step
inner join execution_steps as need
    on need.execution_id = step.execution_id and need.key = any(step.needs)
where
    step.attempt > 0
    and need.status <> 'completed'
    and (need.status <> 'failed' or need.on_error <> 'continue')
order by subject, found;

-- name: wrong_files
-- 10. Each file of an implementation task in progress is locked by it, and no other file. As a lock
-- has one holder, no two such tasks share a file.
--
-- plan: allow full-scan: an invariant is one of every row
with wanted as (
    select distinct
        task.id as task_id,
        assigned.path
    from implementation_tasks as work
    inner join tasks as task on task.id = work.task_id
    cross join lateral unnest(work.assigned_files) as assigned (path)
    where task.status = 'in_progress'
)

select
    'file_lock' as invariant,
    task.key as subject,
    'it is in progress with ' || coalesce(wanted.path, '') || ', which '
    || coalesce(
        (
            select other.key
            from file_locks as file
            inner join tasks as other on other.id = file.task_id
            where file.path = wanted.path
        ),
        'nobody'
    )
    || ' locks' as found,
    'locked by it' as expected,
    task.id
from wanted
inner join tasks as task on task.id = wanted.task_id
left join file_locks as own on own.path = wanted.path and own.task_id = wanted.task_id
where own.path is null
union all
select
    'file_lock',
    task.key,
    'it locks ' || file.path,
    'no such file: it is ' || task.status
    || case when task.status = 'in_progress' then ' without it' else '' end,
    task.id
from file_locks as file
inner join tasks as task on task.id = file.task_id
left join wanted on wanted.task_id = file.task_id and wanted.path = file.path
where wanted.path is null
order by subject, found;

-- name: wrong_slots
-- 11. Each task in progress with a concurrency key holds a slot of that key, and no other task
-- does; no key has more in progress than slots; and where a slot is free that no claim will look
-- at again, no lane of waiting tasks is without one in line.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'slot' as invariant,
    task.key as subject,
    'it is ' || task.status || ' and holds ' || case
        when slot.key is null then 'no slot'
        else 'a slot of ' || slot.key
    end as found,
    case
        when task.status = 'in_progress' and task.concurrency_key is not null
            then 'a slot of ' || task.concurrency_key
        else 'no slot'
    end as expected,
    task.id
from tasks as task
left join concurrency_slots as slot on slot.task_id = task.id
where
    slot.key
    is distinct from case when task.status = 'in_progress' then task.concurrency_key end
union all
select
    'stranded' as invariant,
    task.key,
    'it waits for a slot of ' || task.concurrency_key || ', and nothing of its lane is in line',
    'in line, as a slot is free',
    task.id
from tasks as task
inner join concurrency_keys as used on used.key = task.concurrency_key
where
    task.waits_for_slot
    and used.running < used.at_most
    and not exists (
        select from concurrency_slots as slot
        where slot.key = task.concurrency_key and slot.task_id is null and slot.is_unseen
    )
    and not exists (
        select from tasks as other
        where
            other.concurrency_key = task.concurrency_key
            and other.is_ready
            and other.reserved_for = task.reserved_for
            and other.for_type = task.for_type
    )
order by subject, found;

-- name: spec_edges
-- 1. The dependencies between specifications, which must have no cycle. They are few.
--
-- plan: allow full-scan: an invariant is one of every row
select
    spec.id,
    spec.key,
    blocker.key as next_key
from spec_dependencies as edge
inner join technical_specs as spec on spec.id = edge.spec_id
inner join technical_specs as blocker on blocker.id = edge.depends_on_id
order by spec.key, blocker.key;

-- name: wrong_phases
-- 6. The rows of spec_phases are those of the specification's structure.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'phases' as invariant,
    spec.key as subject,
    'spec_phases has ' || coalesce(nullif(array_to_string(known.names, ', '), ''), 'none')
        as found,
    coalesce(array_to_string(spec.phase_files, ', '), 'none') as expected,
    spec.id
from technical_specs as spec
cross join lateral (
    select array(
        select phase.name
        from spec_phases as phase
        where phase.spec_id = spec.id
        order by phase.name
    ) as names
) as known
where
    known.names <> array(
        select named.name
        from unnest(spec.phase_files) as named (name)
        order by named.name collate "C"
    )
order by spec.key;

-- name: wrong_spec_text
-- 6. spec_search has the current text of the specifications.
--
-- plan: allow full-scan: an invariant is one of every row
select
    'spec_text' as invariant,
    spec.key as subject,
    case
        when indexed.spec_id is null then 'spec_search has no row for it'
        else 'spec_search has another text'
    end as found,
    'the words of its title and content' as expected,
    spec.id
from technical_specs as spec
left join spec_search as indexed on indexed.spec_id = spec.id
where
    indexed.document is distinct from spec_document(spec.title, spec.content, spec.structure)
order by spec.key;

-- name: lock_tasks
-- Locks tasks in the order that all transactions keep; returns those that still exist.
--
-- plan: tasks_pkey
select task.id
from tasks as task
where task.id = any(:ids)
order by task.id
for no key update;

-- name: repair_edges
-- Marks the dependencies of these tasks, locked by lock_tasks, as their blockers' statuses say.
--
-- plan: tasks_pkey
-- plan: task_dependencies_pkey
update task_dependencies as edge
set is_satisfied = not edge.is_satisfied
from tasks as blocker
where
    edge.task_id = any(:ids)
    and blocker.id = edge.depends_on_id
    and edge.is_satisfied
    <> is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
returning edge.task_id;

-- name: repair_counts
-- Recounts the open dependencies of these tasks, locked by lock_tasks. The triggers give them the
-- status that follows; a pending task that has a reason is blocked by it.
--
-- plan: tasks_pkey
-- plan: task_dependencies_pkey
with recount as (
    select
        task.id,
        task.status as old_status,
        task.open_dependencies as old_count,
        task.blocked_reason as old_reason,
        (
            select count(*)
            from task_dependencies as edge
            where edge.task_id = task.id and not edge.is_satisfied
        ) as edge_count
    from tasks as task
    where task.id = any(:ids)
)

update tasks as task
set
    open_dependencies = recount.edge_count,
    status = case
        when task.status = 'pending' and task.blocked_reason is not null
            then 'blocked'::shared.task_status
        else task.status
    end,
    status_seq = 0,
    status_agent = 'taskdb',
    status_note = 'taskdb doctor counted its dependencies again'
from recount
where task.id = recount.id
returning
    'open_dependencies' as invariant,
    task.key as subject,
    task.id,
    recount.old_status || ' with ' || recount.old_count || ' open dependencies'
    || coalesce(' and the reason "' || recount.old_reason || '"', '') as old_value,
    task.status || ' with ' || task.open_dependencies || ' open dependencies'
    || coalesce(' and the reason "' || task.blocked_reason || '"', '') as new_value;

-- name: repair_details
-- Adds the missing rows of task_details of these tasks, locked by lock_tasks. Their text is lost.
--
-- plan: tasks_pkey
insert into task_details (task_id, priority, agent_type, assigned_agent, created_at, updated_at)
with task as (
    select
        other.id,
        other.priority,
        other.agent_type,
        other.assigned_agent,
        other.created_at,
        other.updated_at
    from tasks as other
    where other.id = any(:ids)
)

select
    task.id,
    task.priority,
    task.agent_type,
    task.assigned_agent,
    task.created_at,
    task.updated_at
from task
on conflict (task_id) do nothing
returning task_id;

-- name: repair_copies
-- Copies the columns of task_details from tasks again, for these tasks, locked by lock_tasks.
--
-- plan: tasks_pkey
update task_details as details
set
    priority = task.priority,
    agent_type = task.agent_type,
    assigned_agent = task.assigned_agent,
    created_at = task.created_at
from tasks as task
where task.id = any(:ids) and details.task_id = task.id
returning details.task_id;

-- name: repair_derived
-- Derives the columns for the claim again, for these tasks, locked by lock_tasks. It counts as an
-- edit of them.
--
-- plan: tasks_pkey
with paused as (
    select
        other.id,
        is_claiming_paused(other.agent_type, details.feature_id) as is_paused
    from tasks as other
    left join task_details as details on details.task_id = other.id
    where other.id = any(:ids)
)

update tasks as task
set
    reserved_for = coalesce(task.assigned_agent, ''),
    for_type = coalesce(task.agent_type, ''),
    place = coalesce(task.execution_order, 2147483647),
    is_due = task.scheduled_at is null or task.scheduled_at <= now(),
    is_paused = paused.is_paused,
    -- Its trigger derives that of an open task.
    is_ready = false,
    has_files = task.has_files or exists (
        select from implementation_tasks as work
        where work.task_id = task.id and work.assigned_files <> '{}'
    ),
    has_dependents = task.has_dependents or exists (
        select from task_dependencies as edge
        where edge.depends_on_id = task.id and edge.dependency_type <> 'suggests'
    ),
    is_passed_on = true
from paused
where task.id = paused.id
returning task.id;

-- name: lock_workflows
-- Locks workflows in the order of ids, as lock_tasks does tasks.
--
-- plan: workflows_pkey, workflows_health_once
select workflow.id
from workflows as workflow
where workflow.id = any(:ids)
order by workflow.id
for update;

-- name: repair_workflow_health
-- Recounts the unhealthy dependencies of these workflows, locked by lock_workflows; tasks follow.
--
-- plan: workflows_pkey, workflows_health_once
with recount as (
    select
        workflow.id,
        workflow.unhealthy_dependencies as old_count,
        (
            select count(*)
            from external_dependencies as dependency
            where
                dependency.workflow_id = workflow.id
                and dependency.is_required
                and dependency.health = 'unhealthy'
        ) as new_count
    from workflows as workflow
    where workflow.id = any(:ids)
)

update workflows as workflow
set unhealthy_dependencies = recount.new_count, is_healthy = recount.new_count = 0
from recount
where workflow.id = recount.id and recount.new_count <> recount.old_count
returning
    'unhealthy_dependencies' as invariant,
    workflow.name as subject,
    workflow.id,
    'unhealthy_dependencies ' || recount.old_count as old_value,
    'unhealthy_dependencies ' || workflow.unhealthy_dependencies as new_value;

-- name: repair_health
-- Recounts the unhealthy dependencies of these tasks, locked by lock_tasks; those without a
-- workflow get a healthy one's values.
--
-- plan: tasks_pkey
with recount as (
    select
        task.id,
        task.unhealthy_dependencies as old_count,
        task.workflow_is_healthy as was_healthy,
        task.workflow_is_healthy or task.workflow_id is null as is_healthy,
        (
            select count(*)
            from external_dependencies as dependency
            where
                dependency.task_id = task.id
                and dependency.is_required
                and dependency.health = 'unhealthy'
        ) as new_count
    from tasks as task
    where task.id = any(:ids)
)

update tasks as task
set unhealthy_dependencies = recount.new_count, workflow_is_healthy = recount.is_healthy
from recount
where
    task.id = recount.id
    and (recount.new_count, recount.is_healthy) <> (recount.old_count, recount.was_healthy)
returning
    'unhealthy_dependencies' as invariant,
    task.key as subject,
    task.id,
    'unhealthy_dependencies ' || recount.old_count || ' and a workflow that is '
    || case when recount.was_healthy then 'healthy' else 'unhealthy' end as old_value,
    'unhealthy_dependencies ' || task.unhealthy_dependencies || ' and a workflow that is '
    || case when task.workflow_is_healthy then 'healthy' else 'unhealthy' end as new_value;

-- name: ranks_below
-- The ranks of these tasks and of all their blockers, direct or indirect.
--
-- plan: tasks_pkey
select
    task.id,
    task.key,
    task.graph_rank
from task_graph_region(:roots, -9223372036854775808) as region
inner join tasks as task on task.id = region.id
order by task.key;

-- name: repair_ranks
-- Lowers ranks until each of these edges, whose ends lock_tasks has locked, goes to a lower one.
select count(task_graph_repair(:waiting, :awaited));

-- name: lock_priorities
-- The effective priorities; locks all tasks, since any may have inherited a wrong one.
-- plan: allow full-scan: every task may have inherited a wrong priority
select
    task.id,
    task.key,
    task.effective_priority
from tasks as task
order by task.id
for no key update;

-- name: inherit_priorities
-- Raises every task to its own priority and that of its active dependents.
-- plan: allow full-scan: every task may have inherited a wrong priority
with late as (
    select
        task.id,
        task.priority::int as priority
    from tasks as task
    where task.effective_priority > task.priority
    union all
    select
        blocker.id,
        dependent.effective_priority::int as priority
    from task_dependencies as edge
    inner join tasks as dependent on dependent.id = edge.task_id
    inner join tasks as blocker on blocker.id = edge.depends_on_id
    where
        edge.dependency_type <> 'suggests'
        and is_active(dependent.status, dependent.completed_at)
        and blocker.effective_priority > dependent.effective_priority
),

given as (
    select
        array_agg(late.id) as ids,
        array_agg(late.priority) as priorities
    from late
)

select count(inherit_priority(given.ids, given.priorities))
from given;

-- name: revoke_priorities
-- Revokes inherited priority that nothing justifies, from these tasks and all their blockers.
select count(revoke_priority(:ids));

-- name: repair_progress
-- Refreshes the cached progress of these features.
--
-- plan: features_key_is_unique
-- plan: task_details_by_feature
with current as (
    select
        progress.feature_id,
        progress.counted_count,
        progress.completed_count,
        progress.progress_pct,
        feature.progress_pct as old_pct
    from feature_progress as progress
    inner join features as feature on feature.id = progress.feature_id
    where progress.key = any(:keys)
)

update features as feature
set
    progress_pct = current.progress_pct,
    progress_counted_count = current.counted_count,
    progress_completed_count = current.completed_count
from current
where feature.id = current.feature_id
returning
    'progress' as invariant,
    feature.key as subject,
    feature.id,
    'progress_pct ' || current.old_pct as old_value,
    'progress_pct ' || feature.progress_pct as new_value;

-- name: repair_text
-- Writes the words of these tasks, locked by lock_tasks, into task_search again.
--
-- plan: tasks_pkey
with text as (
    select
        task.id,
        task.key,
        task.title,
        details.description
    from tasks as task
    inner join task_details as details on details.task_id = task.id
    where task.id = any(:ids)
),

written as (
    insert into task_search (task_id, title, document)
    select
        text.id,
        text.title,
        task_document(text.title, text.description)
    from text
    on conflict (task_id) do update
        set title = excluded.title, document = excluded.document
    returning task_id
)

select
    'search_text' as invariant,
    text.key as subject,
    text.id,
    'another text in task_search, or none' as old_value,
    'the words of its title and description' as new_value
from written
inner join text on text.id = written.task_id
order by text.key;
