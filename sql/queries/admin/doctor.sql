-- What must always hold, as queries that return what doesn't: no row means that it holds.
-- The numbers are those of DESIGN, section 6. Each looks at the whole workspace in one
-- statement, and so in one snapshot: it may run while everybody works.
--
-- They run with nested loops off and without a limit of time: right after a load that nobody
-- has analyzed yet, PostgreSQL can't know how large things are, and a nested loop over two
-- large ones takes minutes. Hashing takes seconds for a million tasks, whatever the statistics
-- say. Where there is no other way than a loop its cost counts as huge, which would have each
-- query compiled first: so that is off as well.

-- name: plan_settings
-- How the caller's transaction plans, and how long a statement may take in it.
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
-- 1. A blocker's rank is below that of each task that waits for it. While that holds, the
-- graph has no cycle; where it doesn't, there may be one.
--
-- plan: whole tables: an invariant is one of every row
select
    'rank' as invariant,
    waiting.key as subject,
    'its rank is ' || waiting.graph_rank || ', and ' || blocker.key
    || ', which it waits for, has ' || blocker.graph_rank as found,
    'a rank above those of all tasks that it waits for' as expected,
    waiting.id,
    blocker.id as blocker_id
from task_dependencies as edge
inner join tasks as waiting on waiting.id = edge.task_id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where
    edge.dependency_type <> 'suggests'
    and blocker.graph_rank >= waiting.graph_rank
order by waiting.key, blocker.key;

-- name: edges_around
-- The requires and blocks edges behind those that wrong_ranks found, which lead from the tasks
-- :waiting to :awaited. Every cycle is among them: on its way around some edge goes to a rank
-- that is not lower, and no task on it ranks below the lowest that waits so.
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
-- 1. Whoever goes from parent to parent comes to a task without one. The tasks from which
-- that leads nowhere are in a loop, or below one.
--
-- plan: whole tables: an invariant is one of every row
with recursive rooted as (
    select child.id
    from tasks as child
    inner join tasks as root on root.id = child.parent_id
    where root.parent_id is null
    union all
    select child.id
    from rooted
    inner join tasks as child on child.parent_id = rooted.id
)

select
    task.id,
    task.key,
    parent.key as next_key
from tasks as task
inner join tasks as parent on parent.id = task.parent_id
left join rooted on rooted.id = task.id
where rooted.id is null
order by task.key;

-- name: wrong_counts
-- 2. open_dependencies is the number of a task's unsatisfied requires and blocks edges.
--
-- plan: whole tables: an invariant is one of every row
with open_edges as (
    select
        edge.task_id,
        count(*) as edge_count
    from task_dependencies as edge
    inner join tasks as blocker on blocker.id = edge.depends_on_id
    where not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
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

-- name: wrong_urgency
-- 6. A task is as urgent as its own priority, or as the most urgent task that waits for it and
-- was not given up. As the graph has no cycle, what holds for each task and those next to it is
-- what recomputation of the whole plan would give.
-- plan: whole tables: an invariant is one of every row
with demand as (
    select
        edge.depends_on_id as task_id,
        min(dependent.effective_priority::int) as urgency
    from task_dependencies as edge
    inner join tasks as dependent on dependent.id = edge.task_id
    where
        edge.dependency_type <> 'suggests'
        and is_wanted(dependent.status, dependent.completed_at)
    group by edge.depends_on_id
)

select
    'effective_priority' as invariant,
    task.key as subject,
    'effective_priority is ' || task.effective_priority as found,
    least(task.priority::int, demand.urgency) || ', by its priority '
    || task.priority
    || coalesce(' and ' || demand.urgency || ' of what waits for it', '') as expected,
    task.id
from tasks as task
left join demand on demand.task_id = task.id
where task.effective_priority <> least(task.priority::int, demand.urgency)
order by task.key;

-- name: wrong_blocks
-- 2. A pending task has neither an open dependency nor a reason, a blocked one has one or
-- the other, and no other status has a reason.
--
-- plan: whole tables: an invariant is one of every row
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

-- name: doubled_claims
-- 3. A task has at most one live claim.
--
-- plan: tasks_pkey
select
    'live_claim' as invariant,
    task.key as subject,
    count(*) || ' claims are live: of '
    || string_agg(
        claim.agent || ' (token ' || claim.token || ')', ', ' order by claim.token, claim.agent
    ) as found,
    'at most one' as expected,
    task.id
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where claim.outcome is null
group by task.id
having count(*) > 1
order by task.key;

-- name: stray_claims
-- 3. A live claim is on a task in progress.
--
-- plan: tasks_pkey
select
    'claimed_task' as invariant,
    task.key as subject,
    'the claim of ' || claim.agent || ' (token ' || claim.token || ') is live, and the task '
    || task.status as found,
    'a task in progress, or a claim that ended as revoked' as expected,
    task.id
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where claim.outcome is null and task.status <> 'in_progress'
order by task.key, claim.token;

-- name: wrong_tokens
-- 3. No claim has a token above its task's, which is the newest one's; a live one has just that.
--
-- plan: whole tables: an invariant is one of every row
select
    'token' as invariant,
    task.key as subject,
    'the claim of ' || claim.agent || ' has token ' || claim.token || ', the task '
    || task.claim_token as found,
    case
        when claim.outcome is null then 'the same: the claim is live'
        else 'none above the task''s'
    end as expected,
    task.id
from task_claims as claim
inner join tasks as task on task.id = claim.task_id
where
    claim.token > task.claim_token
    or (claim.outcome is null and claim.token < task.claim_token)
order by task.key, claim.token;

-- name: wrong_completions
-- 3. Completed work was completed once, by the holder of the live token: each claim that
-- ended so left one row of history, of the same agent; and nobody claimed the task after
-- that, unless it was reopened.
--
-- plan: whole tables: an invariant is one of every row
with ended as (
    select
        claim.task_id,
        claim.agent,
        count(*) as claim_count
    from task_claims as claim
    where claim.outcome = 'completed'
    group by claim.task_id, claim.agent
),

recorded as (
    select
        entry.task_id,
        entry.agent,
        count(*) as entry_count
    from task_history as entry
    where entry.seq > 1 and entry.new_status = 'completed'
    group by entry.task_id, entry.agent
)

select
    'completion' as invariant,
    task.key as subject,
    ended.claim_count || ' claims of ' || ended.agent || ' ended as completed, and history has '
    || coalesce(recorded.entry_count, 0) || ' completions by this agent' as found,
    'one completion for each' as expected,
    task.id
from ended
inner join tasks as task on task.id = ended.task_id
left join recorded on recorded.task_id = ended.task_id and recorded.agent = ended.agent
where ended.claim_count > coalesce(recorded.entry_count, 0)
union all
select
    'completion',
    task.key,
    'the claim of ' || done.agent || ' (token ' || done.token || ') completed the task, and '
    || later.agent || ' has claimed it since',
    'a task that was reopened in between',
    task.id
from task_claims as done
inner join task_claims as later on later.task_id = done.task_id and later.token = done.token + 1
inner join tasks as task on task.id = done.task_id
where
    done.outcome = 'completed'
    and not exists (
        select from task_history as entry
        where
            entry.task_id = done.task_id
            and entry.seq > 1
            and entry.old_status in ('completed', 'archived')
            and entry.new_status not in ('completed', 'archived')
    )
order by subject, found;

-- name: wrong_last_moves
-- 4. The last row of a task's history has its status.
--
-- plan: whole tables: an invariant is one of every row
with latest as (
    select distinct on (entry.task_id)
        entry.task_id,
        entry.seq,
        entry.new_status
    from task_history as entry
    where entry.seq is not null
    order by entry.task_id, entry.seq desc
)

select
    'last_move' as invariant,
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
-- first begins with nothing.
--
-- plan: whole tables: an invariant is one of every row
select
    'history' as invariant,
    task.key as subject,
    'row ' || entry.seq || ' of its history goes from '
    || coalesce(entry.old_status::text, 'nothing') || ' to ' || entry.new_status as found,
    case
        when entry.seq = 1 then 'from nothing'
        when earlier.id is null then 'a row ' || entry.seq - 1 || ' before it'
        else 'from ' || earlier.new_status || ', where row ' || earlier.seq || ' ended'
    end as expected,
    task.id
from task_history as entry
inner join tasks as task on task.id = entry.task_id
left join task_history as earlier
    on earlier.task_id = entry.task_id and earlier.seq = entry.seq - 1
where
    (entry.seq = 1 and entry.old_status is not null)
    or (entry.seq > 1 and entry.old_status is distinct from earlier.new_status)
    or (entry.seq > 1 and earlier.id is null)
order by task.key, entry.seq;

-- name: wrong_moves
-- 4. Each move is in the table of moves as it is today, or was forced, or imported, or is the
-- cascade's. A move to pending or to blocked ends in whichever of the two the dependencies
-- demand.
--
-- plan: whole tables: an invariant is one of every row
select
    'move' as invariant,
    task.key as subject,
    'it went from ' || entry.old_status || ' to ' || entry.new_status || ' (seq ' || entry.seq
    || ', by ' || entry.agent || ')' as found,
    'a move of task_status_transitions, or a forced one' as expected,
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
        entry.agent = 'taskdb'
        and entry.old_status in ('pending', 'blocked')
        and entry.new_status in ('pending', 'blocked')
    )
order by task.key, entry.seq;

-- name: wrong_progress
-- 6. A feature's cached progress_pct is that of the counts it was computed from. (It may be
-- older than the latest completion: update_progress refreshes it.)
--
-- plan: whole tables: an invariant is one of every row
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
-- 6. What search looks at is the text of the tasks.
--
-- plan: whole tables: an invariant is one of every row
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
left join task_search as indexed on indexed.task_id = task.id
where
    indexed.title is distinct from task.title
    or indexed.document is distinct from task_document(task.title, task.description)
order by task.key;

-- name: wrong_readiness
-- 7. A task is in ready_tasks exactly if task_obstacles has no reason why not.
--
-- plan: whole tables: an invariant is one of every row
with ready as (
    select distinct task.id
    from ready_tasks as task
),

obstructed as (
    select distinct obstacle.task_id
    from task_obstacles as obstacle
)

select
    'readiness' as invariant,
    task.key as subject,
    case
        when ready.id is null then 'it is not ready, and nothing stands in its way'
        else 'it is ready, and yet ' || (
            select string_agg(obstacle.detail, '; ' order by obstacle.detail)
            from task_obstacles as obstacle
            where obstacle.task_id = task.id
        )
    end as "found!",  -- what is obstructed has an obstacle
    'ready, if and only if nothing stands in its way' as expected,
    task.id
from tasks as task
left join ready on ready.id = task.id
left join obstructed on obstructed.task_id = task.id
where (ready.id is null) = (obstructed.task_id is null)
order by task.key;

-- name: wrong_health
-- 6. What is required outside and unhealthy is counted at its task or its workflow.
--
-- plan: whole tables: an invariant is one of every row
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
-- 6. A task is as healthy as its workflow; one of no workflow is not held back by any.
--
-- plan: whole tables: an invariant is one of every row
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
-- 1. The steps of a workflow don't need each other in a circle.
--
-- plan: whole tables: an invariant is one of every row
select
    'step_cycle' as invariant,
    cycle.name as subject,
    array_to_string(cycle.path, ' -> ') || ', where each needs the next' as found,
    'no loop' as expected,
    cycle.id
from (
    select
        workflow.id,
        workflow.name,
        step_cycle(workflow.id) as path
    from workflows as workflow
    offset 0
) as cycle
where cycle.path is not null
order by cycle.name, cycle.id;

-- name: left_steps
-- An execution that has ended has left no step open, and neither is one begun before its needs.
--
-- plan: whole tables: an invariant is one of every row
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
-- 10. Each file of an implementation task in progress is held by it, and nothing else is held.
-- As a file has one holder, no two such tasks share one.
--
-- plan: whole tables: an invariant is one of every row
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
    'held_file' as invariant,
    task.key as subject,
    'it is in progress with ' || coalesce(wanted.path, '') || ', which '
    || coalesce(
        (
            select other.key
            from held_files as held
            inner join tasks as other on other.id = held.task_id
            where held.path = wanted.path
        ),
        'nobody'
    )
    || ' holds' as found,
    'held by it' as expected,
    task.id
from wanted
inner join tasks as task on task.id = wanted.task_id
left join held_files as own on own.path = wanted.path and own.task_id = wanted.task_id
where own.path is null
union all
select
    'held_file',
    task.key,
    'it holds ' || held.path,
    'no such file: it is ' || task.status
    || case when task.status = 'in_progress' then ' without it' else '' end,
    task.id
from held_files as held
inner join tasks as task on task.id = held.task_id
left join wanted on wanted.task_id = held.task_id and wanted.path = held.path
where wanted.path is null
order by subject, found;

-- name: spec_edges
-- 1. The dependencies between specifications, among which there must be no loop. They are few.
--
-- plan: whole tables: an invariant is one of every row
select
    spec.id,
    spec.key,
    blocker.key as next_key
from spec_dependencies as edge
inner join technical_specs as spec on spec.id = edge.spec_id
inner join technical_specs as blocker on blocker.id = edge.depends_on_id
order by spec.key, blocker.key;

-- name: wrong_phases
-- 6. The phases beside a specification are those of its structure.
--
-- plan: whole tables: an invariant is one of every row
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
-- 6. What search looks at is the text of the specifications.
--
-- plan: whole tables: an invariant is one of every row
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
-- Locks tasks in the order in which everybody does; returns those that are still there.
--
-- plan: tasks_pkey
select task.id
from tasks as task
where task.id = any(:ids)
order by task.id
for no key update;

-- name: repair_counts
-- Counts the open dependencies of these tasks, locked by lock_tasks, anew. The triggers
-- give them the status that this implies; a pending task that has a reason is blocked by it.
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
            inner join tasks as blocker on blocker.id = edge.depends_on_id
            where
                edge.task_id = task.id
                and not is_satisfied(
                    edge.dependency_type, blocker.status, blocker.completed_at
                )
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
    status_agent = 'taskdb',
    status_note = 'taskdb doctor counted its dependencies anew'
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
-- Counts what is unhealthy at these workflows, locked by lock_workflows, anew; tasks follow.
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
-- Counts what is unhealthy at these tasks, locked by lock_tasks, anew; those of no workflow are
-- held back by none.
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
-- The ranks of these tasks and of all that they wait for, directly or not.
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

-- name: lock_urgencies
-- How urgent each task is; locks them all, since a wrong urgency may have spread to any.
-- plan: whole tables: a wrong urgency may have spread to every task
select
    task.id,
    task.key,
    task.effective_priority
from tasks as task
order by task.id
for no key update;

-- name: spread_urgencies
-- Makes every task as urgent as its priority, and as what waits for it.
-- plan: whole tables: a wrong urgency may have spread to every task
with late as (
    select
        task.id,
        task.priority::int as urgency
    from tasks as task
    where task.effective_priority > task.priority
    union all
    select
        blocker.id,
        dependent.effective_priority::int as urgency
    from task_dependencies as edge
    inner join tasks as dependent on dependent.id = edge.task_id
    inner join tasks as blocker on blocker.id = edge.depends_on_id
    where
        edge.dependency_type <> 'suggests'
        and is_wanted(dependent.status, dependent.completed_at)
        and blocker.effective_priority > dependent.effective_priority
),

given as (
    select
        array_agg(late.id) as ids,
        array_agg(late.urgency) as urgencies
    from late
)

select count(spread_urgency(given.ids, given.urgencies))
from given;

-- name: withdraw_urgencies
-- Takes back the urgency of these tasks, and of what they wait for, that nothing gives them.
select count(withdraw_urgency(:ids));

-- name: repair_progress
-- Refreshes the cached progress of these features.
--
-- plan: features_key_is_unique
-- plan: tasks_by_feature
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
        task.description
    from tasks as task
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
