-- Claims: who works on what. Every write of a holder names the token of its claim.
-- Rows are locked in one order everywhere: the task, then its claim.

-- name: claim_next
-- The most urgent claimable task, claimed.
--
-- `found` only says where to look, in the order of the claim: a branch for each way to
-- match (reserved for me or for nobody; of every type, or of mine and of none), each read
-- from an index in that order, and merged: no further than to the task that is taken. Each
-- stops at 100, more than are being claimed at one moment: with a thousand the planner would
-- read all of 50,000 tasks. Then what was scheduled and has become due, and what is in
-- progress under a lapsed lease.
--
-- A task whose files another one holds is passed over before that limit, or a hundred of them
-- would hide what is behind. What is in line is then locked, and its files are taken, one task
-- after the other until one has all of its: `candidate` asks for no more than it needs, so
-- that nothing else is locked. That may wait for a claim of the same file in this very moment,
-- and find it taken. All others that want that file are then passed over too, however many:
-- files_are_held looks anew each time. (At the levels with one snapshot it can't, and each is
-- tried, a hundred at most. What has a schedule is sorted, so all of it would be asked: there the
-- snapshot has to do; with offset 0 the question is asked of one task at a time.)
--
-- What may be claimed the view ready_tasks says, here as elsewhere. The join to `task` says
-- it again, because that is what READ COMMITTED looks at again when a row was changed
-- between being found and being locked.
--
-- It has to stop at the first task in line, and to be planned once: that takes five times as
-- long as running it. So `found` is in order itself; `any(array[...])` can only be looked up, not
-- joined with all tasks; and `(select ...)` hides a value from the planner, which then neither
-- plans for a hundred rows nor finds a plan for this agent cheaper than one for all.
-- docs/decisions/0018-claim-plan.md
--
-- plan: tasks_to_claim, tasks_to_claim_by_type
with in_line as (
    select
        task.id,
        task.status
    from (
        (
            select
                task.id,
                task.effective_priority,
                task.execution_order,
                task.created_at
            from tasks as task
            where
                task.status = 'pending'
                and task.scheduled_at is null
                and task.unhealthy_dependencies = 0
                and task.workflow_is_healthy
                and coalesce(task.assigned_agent, '') = ''
                and false                                           -- if :agent_type
                and not files_are_held(task.id)
            order by
                task.effective_priority,
                task.execution_order,
                task.created_at,
                task.id
            limit 100
        )
        union all
        (
            select
                task.id,
                task.effective_priority,
                task.execution_order,
                task.created_at
            from tasks as task
            where
                task.status = 'pending'
                and task.scheduled_at is null
                and task.unhealthy_dependencies = 0
                and task.workflow_is_healthy
                and coalesce(task.assigned_agent, '') = (select :agent)
                and false                                           -- if :agent_type
                and not files_are_held(task.id)
            order by
                task.effective_priority,
                task.execution_order,
                task.created_at,
                task.id
            limit 100
        )
        union all                                                   -- if :agent_type
        (                                                           -- if :agent_type
            select                                                  -- if :agent_type
                task.id,                                            -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at                                     -- if :agent_type
            from tasks as task                                      -- if :agent_type
            where                                                   -- if :agent_type
                task.status = 'pending'                             -- if :agent_type
                and task.scheduled_at is null                       -- if :agent_type
                and task.unhealthy_dependencies = 0                 -- if :agent_type
                and task.workflow_is_healthy                        -- if :agent_type
                and coalesce(task.assigned_agent, '')               -- if :agent_type
                || '/' || coalesce(task.agent_type, '')             -- if :agent_type
                = '/'                                               -- if :agent_type
                and not files_are_held(task.id)                     -- if :agent_type
            order by                                                -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at,                                    -- if :agent_type
                task.id                                             -- if :agent_type
            limit 100                                               -- if :agent_type
        )                                                           -- if :agent_type
        union all                                                   -- if :agent_type
        (                                                           -- if :agent_type
            select                                                  -- if :agent_type
                task.id,                                            -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at                                     -- if :agent_type
            from tasks as task                                      -- if :agent_type
            where                                                   -- if :agent_type
                task.status = 'pending'                             -- if :agent_type
                and task.scheduled_at is null                       -- if :agent_type
                and task.unhealthy_dependencies = 0                 -- if :agent_type
                and task.workflow_is_healthy                        -- if :agent_type
                and coalesce(task.assigned_agent, '')               -- if :agent_type
                || '/' || coalesce(task.agent_type, '')             -- if :agent_type
                = (select :agent) || '/'                            -- if :agent_type
                and not files_are_held(task.id)                     -- if :agent_type
            order by                                                -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at,                                    -- if :agent_type
                task.id                                             -- if :agent_type
            limit 100                                               -- if :agent_type
        )                                                           -- if :agent_type
        union all                                                   -- if :agent_type
        (                                                           -- if :agent_type
            select                                                  -- if :agent_type
                task.id,                                            -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at                                     -- if :agent_type
            from tasks as task                                      -- if :agent_type
            where                                                   -- if :agent_type
                task.status = 'pending'                             -- if :agent_type
                and task.scheduled_at is null                       -- if :agent_type
                and task.unhealthy_dependencies = 0                 -- if :agent_type
                and task.workflow_is_healthy                        -- if :agent_type
                and coalesce(task.assigned_agent, '')               -- if :agent_type
                || '/' || coalesce(task.agent_type, '')             -- if :agent_type
                = '/' || (select :agent_type)                       -- if :agent_type
                and not files_are_held(task.id)                     -- if :agent_type
            order by                                                -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at,                                    -- if :agent_type
                task.id                                             -- if :agent_type
            limit 100                                               -- if :agent_type
        )                                                           -- if :agent_type
        union all                                                   -- if :agent_type
        (                                                           -- if :agent_type
            select                                                  -- if :agent_type
                task.id,                                            -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at                                     -- if :agent_type
            from tasks as task                                      -- if :agent_type
            where                                                   -- if :agent_type
                task.status = 'pending'                             -- if :agent_type
                and task.scheduled_at is null                       -- if :agent_type
                and task.unhealthy_dependencies = 0                 -- if :agent_type
                and task.workflow_is_healthy                        -- if :agent_type
                and coalesce(task.assigned_agent, '')               -- if :agent_type
                || '/' || coalesce(task.agent_type, '')             -- if :agent_type
                = (select :agent) || '/' || (select :agent_type)    -- if :agent_type
                and not files_are_held(task.id)                     -- if :agent_type
            order by                                                -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at,                                    -- if :agent_type
                task.id                                             -- if :agent_type
            limit 100                                               -- if :agent_type
        )                                                           -- if :agent_type
        union all
        (
            select
                task.id,
                task.effective_priority,
                task.execution_order,
                task.created_at
            from tasks as task
            where
                task.status = 'pending'
                and task.scheduled_at <= now()
                and task.unhealthy_dependencies = 0
                and task.workflow_is_healthy
                and coalesce(task.assigned_agent, '') in ('', (select :agent))
                and coalesce(task.agent_type, '') in ('', (select :agent_type)) -- if :agent_type
                and not exists (
                    select from file_conflicts as clash
                    where clash.task_id = task.id
                    offset 0
                )
            order by
                task.effective_priority,
                task.execution_order,
                task.created_at,
                task.id
            limit 100
        )
        union all
        (
            select
                task.id,
                task.effective_priority,
                task.execution_order,
                task.created_at
            from task_claims as claim
            inner join tasks as task on task.id = claim.task_id
            where
                claim.outcome is null
                and claim.lease_expires_at <= now()
                and coalesce(task.assigned_agent, '') in ('', (select :agent))
                and coalesce(task.agent_type, '') in ('', (select :agent_type)) -- if :agent_type
            order by
                task.effective_priority,
                task.execution_order,
                task.created_at,
                task.id
            limit 100
        )
        order by effective_priority, execution_order, created_at, id
    ) as found
    cross join lateral (
        select
            ready.status,
            ready.claim_token
        from ready_tasks as ready
        where ready.id = found.id
        offset 0
    ) as ready
    inner join tasks as task
        on
            task.id = any(array[found.id])
            and task.status = ready.status
            and task.claim_token = ready.claim_token
            and coalesce(task.assigned_agent, '') in ('', (select :agent))
            and coalesce(task.agent_type, '') in ('', (select :agent_type)) -- if :agent_type
            and (
                task.status <> 'pending'
                or task.scheduled_at is null
                or task.scheduled_at <= now()
            )
            and (
                task.status <> 'pending'
                or (task.unhealthy_dependencies = 0 and task.workflow_is_healthy)
            )
    order by found.effective_priority, found.execution_order, found.created_at, found.id
    limit (select 100)
    for no key update of task skip locked
),

candidate as (
    select
        in_line.id,
        in_line.status
    from in_line
    where take_files(in_line.id)
    limit 1
),

-- Taking over ends the old claim. A holder that renewed its lease in this very moment
-- keeps the task: then no row comes out of here, and the task is not taken.
lapsed as (
    update task_claims as claim
    set outcome = 'lapsed', ended_at = now()
    from candidate
    where
        candidate.status = 'in_progress'
        and claim.task_id = candidate.id
        and claim.outcome is null
        and claim.lease_expires_at <= now()
    returning claim.task_id
),

taken as (
    update tasks as task
    set
        status = 'in_progress',
        status_agent = :agent,
        claim_token = task.claim_token + 1,
        failed_attempts = task.failed_attempts + cast(candidate.status = 'in_progress' as int)
    from candidate
    where
        task.id = candidate.id
        and (
            candidate.status = 'pending'
            or exists (select from lapsed where lapsed.task_id = candidate.id)
        )
    returning
        task.id,
        task.key,
        task.title,
        task.description,
        task.priority,
        task.effective_priority,
        task.agent_type,
        task.feature_id,
        task.parent_id,
        task.estimated_hours,
        task.requirements,
        task.context,
        task.metadata,
        task.file_path,
        task.failed_attempts,
        task.claim_token
),

claimed as (
    insert into task_claims (task_id, token, agent, lease_expires_at)
    select
        taken.id,
        taken.claim_token,
        :agent,
        now() + :lease
    from taken
    returning task_id, token, agent, claimed_at, lease_expires_at
)

select
    claimed.task_id,
    claimed.token,
    claimed.agent,
    claimed.claimed_at,
    claimed.lease_expires_at,
    taken.key,
    taken.title,
    taken.description,
    taken.priority,
    taken.effective_priority,
    taken.agent_type,
    taken.feature_id,
    taken.parent_id,
    taken.estimated_hours,
    taken.requirements,
    taken.context,
    taken.metadata,
    taken.file_path,
    taken.failed_attempts
from claimed
inner join taken on taken.id = claimed.task_id;

-- name: claim_batch
-- As claim_next, up to :limit tasks at once.
--
-- plan: tasks_to_claim, tasks_to_claim_by_type
with in_line as (
    select
        task.id,
        task.status
    from (
        (
            select
                task.id,
                task.effective_priority,
                task.execution_order,
                task.created_at
            from tasks as task
            where
                task.status = 'pending'
                and task.scheduled_at is null
                and task.unhealthy_dependencies = 0
                and task.workflow_is_healthy
                and coalesce(task.assigned_agent, '') = ''
                and false                                           -- if :agent_type
                and not files_are_held(task.id)
            order by
                task.effective_priority,
                task.execution_order,
                task.created_at,
                task.id
            limit (select :limit + 100)
        )
        union all
        (
            select
                task.id,
                task.effective_priority,
                task.execution_order,
                task.created_at
            from tasks as task
            where
                task.status = 'pending'
                and task.scheduled_at is null
                and task.unhealthy_dependencies = 0
                and task.workflow_is_healthy
                and coalesce(task.assigned_agent, '') = (select :agent)
                and false                                           -- if :agent_type
                and not files_are_held(task.id)
            order by
                task.effective_priority,
                task.execution_order,
                task.created_at,
                task.id
            limit (select :limit + 100)
        )
        union all                                                   -- if :agent_type
        (                                                           -- if :agent_type
            select                                                  -- if :agent_type
                task.id,                                            -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at                                     -- if :agent_type
            from tasks as task                                      -- if :agent_type
            where                                                   -- if :agent_type
                task.status = 'pending'                             -- if :agent_type
                and task.scheduled_at is null                       -- if :agent_type
                and task.unhealthy_dependencies = 0                 -- if :agent_type
                and task.workflow_is_healthy                        -- if :agent_type
                and coalesce(task.assigned_agent, '')               -- if :agent_type
                || '/' || coalesce(task.agent_type, '')             -- if :agent_type
                = '/'                                               -- if :agent_type
                and not files_are_held(task.id)                     -- if :agent_type
            order by                                                -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at,                                    -- if :agent_type
                task.id                                             -- if :agent_type
            limit (select :limit + 100)                             -- if :agent_type
        )                                                           -- if :agent_type
        union all                                                   -- if :agent_type
        (                                                           -- if :agent_type
            select                                                  -- if :agent_type
                task.id,                                            -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at                                     -- if :agent_type
            from tasks as task                                      -- if :agent_type
            where                                                   -- if :agent_type
                task.status = 'pending'                             -- if :agent_type
                and task.scheduled_at is null                       -- if :agent_type
                and task.unhealthy_dependencies = 0                 -- if :agent_type
                and task.workflow_is_healthy                        -- if :agent_type
                and coalesce(task.assigned_agent, '')               -- if :agent_type
                || '/' || coalesce(task.agent_type, '')             -- if :agent_type
                = (select :agent) || '/'                            -- if :agent_type
                and not files_are_held(task.id)                     -- if :agent_type
            order by                                                -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at,                                    -- if :agent_type
                task.id                                             -- if :agent_type
            limit (select :limit + 100)                             -- if :agent_type
        )                                                           -- if :agent_type
        union all                                                   -- if :agent_type
        (                                                           -- if :agent_type
            select                                                  -- if :agent_type
                task.id,                                            -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at                                     -- if :agent_type
            from tasks as task                                      -- if :agent_type
            where                                                   -- if :agent_type
                task.status = 'pending'                             -- if :agent_type
                and task.scheduled_at is null                       -- if :agent_type
                and task.unhealthy_dependencies = 0                 -- if :agent_type
                and task.workflow_is_healthy                        -- if :agent_type
                and coalesce(task.assigned_agent, '')               -- if :agent_type
                || '/' || coalesce(task.agent_type, '')             -- if :agent_type
                = '/' || (select :agent_type)                       -- if :agent_type
                and not files_are_held(task.id)                     -- if :agent_type
            order by                                                -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at,                                    -- if :agent_type
                task.id                                             -- if :agent_type
            limit (select :limit + 100)                             -- if :agent_type
        )                                                           -- if :agent_type
        union all                                                   -- if :agent_type
        (                                                           -- if :agent_type
            select                                                  -- if :agent_type
                task.id,                                            -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at                                     -- if :agent_type
            from tasks as task                                      -- if :agent_type
            where                                                   -- if :agent_type
                task.status = 'pending'                             -- if :agent_type
                and task.scheduled_at is null                       -- if :agent_type
                and task.unhealthy_dependencies = 0                 -- if :agent_type
                and task.workflow_is_healthy                        -- if :agent_type
                and coalesce(task.assigned_agent, '')               -- if :agent_type
                || '/' || coalesce(task.agent_type, '')             -- if :agent_type
                = (select :agent) || '/' || (select :agent_type)    -- if :agent_type
                and not files_are_held(task.id)                     -- if :agent_type
            order by                                                -- if :agent_type
                task.effective_priority,                            -- if :agent_type
                task.execution_order,                               -- if :agent_type
                task.created_at,                                    -- if :agent_type
                task.id                                             -- if :agent_type
            limit (select :limit + 100)                             -- if :agent_type
        )                                                           -- if :agent_type
        union all
        (
            select
                task.id,
                task.effective_priority,
                task.execution_order,
                task.created_at
            from tasks as task
            where
                task.status = 'pending'
                and task.scheduled_at <= now()
                and task.unhealthy_dependencies = 0
                and task.workflow_is_healthy
                and coalesce(task.assigned_agent, '') in ('', (select :agent))
                and coalesce(task.agent_type, '') in ('', (select :agent_type)) -- if :agent_type
                and not exists (
                    select from file_conflicts as clash
                    where clash.task_id = task.id
                    offset 0
                )
            order by
                task.effective_priority,
                task.execution_order,
                task.created_at,
                task.id
            limit (select :limit + 100)
        )
        union all
        (
            select
                task.id,
                task.effective_priority,
                task.execution_order,
                task.created_at
            from task_claims as claim
            inner join tasks as task on task.id = claim.task_id
            where
                claim.outcome is null
                and claim.lease_expires_at <= now()
                and coalesce(task.assigned_agent, '') in ('', (select :agent))
                and coalesce(task.agent_type, '') in ('', (select :agent_type)) -- if :agent_type
            order by
                task.effective_priority,
                task.execution_order,
                task.created_at,
                task.id
            limit (select :limit + 100)
        )
        order by effective_priority, execution_order, created_at, id
    ) as found
    cross join lateral (
        select
            ready.status,
            ready.claim_token
        from ready_tasks as ready
        where ready.id = found.id
        offset 0
    ) as ready
    inner join tasks as task
        on
            task.id = any(array[found.id])
            and task.status = ready.status
            and task.claim_token = ready.claim_token
            and coalesce(task.assigned_agent, '') in ('', (select :agent))
            and coalesce(task.agent_type, '') in ('', (select :agent_type)) -- if :agent_type
            and (
                task.status <> 'pending'
                or task.scheduled_at is null
                or task.scheduled_at <= now()
            )
            and (
                task.status <> 'pending'
                or (task.unhealthy_dependencies = 0 and task.workflow_is_healthy)
            )
    order by found.effective_priority, found.execution_order, found.created_at, found.id
    limit (select :limit + 100)
    for no key update of task skip locked
),

candidate as (
    select
        in_line.id,
        in_line.status
    from in_line
    where take_files(in_line.id)
    limit :limit
),

lapsed as (
    update task_claims as claim
    set outcome = 'lapsed', ended_at = now()
    from candidate
    where
        candidate.status = 'in_progress'
        and claim.task_id = candidate.id
        and claim.outcome is null
        and claim.lease_expires_at <= now()
    returning claim.task_id
),

taken as (
    update tasks as task
    set
        status = 'in_progress',
        status_agent = :agent,
        claim_token = task.claim_token + 1,
        failed_attempts = task.failed_attempts + cast(candidate.status = 'in_progress' as int)
    from candidate
    where
        task.id = candidate.id
        and (
            candidate.status = 'pending'
            or exists (select from lapsed where lapsed.task_id = candidate.id)
        )
    returning
        task.id,
        task.key,
        task.title,
        task.description,
        task.priority,
        task.effective_priority,
        task.agent_type,
        task.feature_id,
        task.parent_id,
        task.estimated_hours,
        task.requirements,
        task.context,
        task.metadata,
        task.file_path,
        task.failed_attempts,
        task.execution_order,
        task.created_at,
        task.claim_token
),

claimed as (
    insert into task_claims (task_id, token, agent, lease_expires_at)
    select
        taken.id,
        taken.claim_token,
        :agent,
        now() + :lease
    from taken
    returning task_id, token, agent, claimed_at, lease_expires_at
)

select
    claimed.task_id,
    claimed.token,
    claimed.agent,
    claimed.claimed_at,
    claimed.lease_expires_at,
    taken.key,
    taken.title,
    taken.description,
    taken.priority,
    taken.effective_priority,
    taken.agent_type,
    taken.feature_id,
    taken.parent_id,
    taken.estimated_hours,
    taken.requirements,
    taken.context,
    taken.metadata,
    taken.file_path,
    taken.failed_attempts
from claimed
inner join taken on taken.id = claimed.task_id
order by taken.effective_priority, taken.execution_order, taken.created_at, taken.id;

-- name: claim
-- The task with this key, claimed if it may be; a claim under way elsewhere is waited for.
--
-- plan: tasks_key_is_unique
-- plan: task_claims_one_live
with in_line as (
    select
        task.id,
        task.status
    from ready_tasks as ready
    inner join tasks as task
        on
            task.id = ready.id
            and task.status = ready.status
            and task.claim_token = ready.claim_token
            and (
                task.status <> 'pending'
                or task.scheduled_at is null
                or task.scheduled_at <= now()
            )
            and (
                task.status <> 'pending'
                or (task.unhealthy_dependencies = 0 and task.workflow_is_healthy)
            )
    where
        ready.key = :key
        and coalesce(task.assigned_agent, '') in ('', :agent)
    limit 1
    for no key update of task
),

candidate as (
    select
        in_line.id,
        in_line.status
    from in_line
    where take_files(in_line.id)
    limit 1
),

lapsed as (
    update task_claims as claim
    set outcome = 'lapsed', ended_at = now()
    from candidate
    where
        candidate.status = 'in_progress'
        and claim.task_id = candidate.id
        and claim.outcome is null
        and claim.lease_expires_at <= now()
    returning claim.task_id
),

taken as (
    update tasks as task
    set
        status = 'in_progress',
        status_agent = :agent,
        claim_token = task.claim_token + 1,
        failed_attempts = task.failed_attempts + cast(candidate.status = 'in_progress' as int)
    from candidate
    where
        task.id = candidate.id
        and (
            candidate.status = 'pending'
            or exists (select from lapsed where lapsed.task_id = candidate.id)
        )
    returning
        task.id,
        task.key,
        task.title,
        task.description,
        task.priority,
        task.effective_priority,
        task.agent_type,
        task.feature_id,
        task.parent_id,
        task.estimated_hours,
        task.requirements,
        task.context,
        task.metadata,
        task.file_path,
        task.failed_attempts,
        task.claim_token
),

claimed as (
    insert into task_claims (task_id, token, agent, lease_expires_at)
    select
        taken.id,
        taken.claim_token,
        :agent,
        now() + :lease
    from taken
    returning task_id, token, agent, claimed_at, lease_expires_at
)

select
    claimed.task_id,
    claimed.token,
    claimed.agent,
    claimed.claimed_at,
    claimed.lease_expires_at,
    taken.key,
    taken.title,
    taken.description,
    taken.priority,
    taken.effective_priority,
    taken.agent_type,
    taken.feature_id,
    taken.parent_id,
    taken.estimated_hours,
    taken.requirements,
    taken.context,
    taken.metadata,
    taken.file_path,
    taken.failed_attempts
from claimed
inner join taken on taken.id = claimed.task_id;

-- name: heartbeat
-- The lease begins anew. Only the claim's row is written: never the task's.
--
-- plan: task_claims_one_live
update task_claims
set lease_expires_at = now() + :lease
where
    task_id = :task_id
    and token = :token
    and outcome is null
returning lease_expires_at;

-- name: complete
-- Work done, by the holder of the live token.
--
-- plan: tasks_pkey
-- plan: task_claims_one_live, task_claims_token_once_per_task
with held as (
    select task.id
    from tasks as task
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.status = 'in_progress'
    for no key update
),

ended as (
    update task_claims as claim
    set outcome = 'completed', ended_at = now(), note = :note
    from held
    where
        claim.task_id = held.id
        and claim.token = :token
        and claim.outcome is null
    returning claim.task_id, claim.agent
)

update tasks as task
set
    status = 'completed',
    error_message = null,
    actual_hours = :actual_hours,                                   -- if :actual_hours
    status_agent = ended.agent,
    status_note = :note
from ended
where task.id = ended.task_id
returning
    task.id,
    task.key,
    task.status,
    task.completed_at;

-- name: submit
-- Work handed in for review; the claim ends.
--
-- plan: tasks_pkey
-- plan: task_claims_one_live, task_claims_token_once_per_task
with held as (
    select task.id
    from tasks as task
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.status = 'in_progress'
    for no key update
),

ended as (
    update task_claims as claim
    set outcome = 'submitted', ended_at = now(), note = :note
    from held
    where
        claim.task_id = held.id
        and claim.token = :token
        and claim.outcome is null
    returning claim.task_id, claim.agent
)

update tasks as task
set
    status = 'in_review',
    error_message = null,
    status_agent = ended.agent,
    status_note = :note
from ended
where task.id = ended.task_id
returning
    task.id,
    task.key,
    task.status,
    task.completed_at;

-- name: fail
-- The attempt failed. With :retry_in the task is pending again after that time, unless
-- this was the last of its max_attempts; without, it has failed for good.
--
-- plan: tasks_pkey
-- plan: task_claims_one_live, task_claims_token_once_per_task
with held as (
    select
        task.id,
        coalesce(
            cast(:retry_in as interval) is not null
            and task.failed_attempts + 1 < task.max_attempts,
            false
        ) as again
    from tasks as task
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.status = 'in_progress'
    for no key update
),

ended as (
    update task_claims as claim
    set outcome = 'failed', ended_at = now(), note = :error
    from held
    where
        claim.task_id = held.id
        and claim.token = :token
        and claim.outcome is null
    returning
        claim.task_id,
        claim.agent,
        held.again,
        case when held.again then now() + cast(:retry_in as interval) end as retry_at
)

update tasks as task
set
    status = case when ended.again then cast('pending' as shared.task_status) else 'failed' end,
    scheduled_at = coalesce(ended.retry_at, task.scheduled_at),
    error_message = :error,
    failed_attempts = task.failed_attempts + 1,
    status_agent = ended.agent,
    status_note = :error
from ended
where task.id = ended.task_id
returning
    task.id,
    task.key,
    task.status,
    task.completed_at;

-- name: release
-- Given back undone: pending again, or blocked if a dependency has opened meanwhile.
--
-- plan: tasks_pkey
-- plan: task_claims_one_live, task_claims_token_once_per_task
with held as (
    select task.id
    from tasks as task
    where
        task.id = :task_id
        and task.claim_token = :token
        and task.status = 'in_progress'
    for no key update
),

ended as (
    update task_claims as claim
    set outcome = 'released', ended_at = now(), note = :note
    from held
    where
        claim.task_id = held.id
        and claim.token = :token
        and claim.outcome is null
    returning claim.task_id, claim.agent
)

update tasks as task
set
    status = 'pending',
    status_agent = ended.agent,
    status_note = :note
from ended
where task.id = ended.task_id
returning
    task.id,
    task.key,
    task.status,
    task.completed_at;

-- name: list_for_task
-- The attempts at a task, the first first.
--
-- plan: tasks_key_is_unique
-- plan: task_claims_token_once_per_task
select
    claim.id,
    claim.task_id,
    task.key,
    claim.token,
    claim.agent,
    claim.claimed_at,
    claim.lease_expires_at,
    claim.outcome,
    claim.ended_at,
    claim.note
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where task.key = :key
order by claim.token;

-- name: list_live
-- The live claims, the next to lapse first.
--
-- plan: task_claims_by_lease, task_claims_by_agent, task_claims_one_live
select
    claim.id,
    claim.task_id,
    task.key,
    claim.token,
    claim.agent,
    claim.claimed_at,
    claim.lease_expires_at,
    claim.outcome,
    claim.ended_at,
    claim.note
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where
    claim.outcome is null
    and claim.agent = :agent                                        -- if :agent
order by claim.lease_expires_at, claim.id
limit :limit;
