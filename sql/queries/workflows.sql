-- Workflows: create, read, change, clone, and their transitions; their steps and needs.

-- name: insert_workflow
-- A new workflow, without steps.
insert into workflows (
    name,
    description,
    github_repo_url,
    linear_issue_id,
    trigger_type,
    configuration,
    metadata,
    created_by
)
values (
    :name,
    :description,
    :github_repo_url,
    :linear_issue_id,
    :trigger_type,
    :configuration,
    :metadata,
    :created_by
)
returning
    id,
    name,
    description,
    status,
    github_repo_url,
    linear_issue_id,
    trigger_type,
    configuration,
    metadata,
    unhealthy_dependencies,
    created_by,
    created_at,
    updated_at;

-- name: copy_steps
-- New steps of a workflow.
copy workflow_steps (
    id,
    workflow_id,
    key,
    position,
    title,
    step_type,
    configuration,
    condition,
    on_error,
    max_attempts,
    retry_delay,
    timeout
)
from stdin;

-- name: copy_needs
-- The needs of steps. All of them are checked together.
copy workflow_step_needs (workflow_id, step_id, needs_id) from stdin;

-- name: step_ids
-- The steps of a workflow, by key.
--
-- plan: workflow_steps_key_once_per_workflow, workflow_steps_known_with_their_workflow
select
    step.key,
    step.id
from workflow_steps as step
where step.workflow_id = :workflow_id;

-- name: clone
-- A copy of a workflow, with its steps and their needs; a draft.
--
-- plan: workflows_pkey, workflows_health_once
with original as (
    select
        workflow.*,
        uuidv7() as new_id
    from workflows as workflow
    where workflow.id = :id
),

step as (
    select
        old.*,
        uuidv7() as new_id,
        original.new_id as new_workflow_id
    from original
    inner join workflow_steps as old on old.workflow_id = original.id
),

need as (
    select
        waiting.new_workflow_id as workflow_id,
        waiting.new_id as step_id,
        needed.new_id as needs_id
    from original
    inner join workflow_step_needs as old on old.workflow_id = original.id
    inner join step as waiting on waiting.id = old.step_id
    inner join step as needed on needed.id = old.needs_id
),

workflow as (
    insert into workflows (
        id,
        name,
        description,
        github_repo_url,
        linear_issue_id,
        trigger_type,
        configuration,
        metadata,
        created_by
    )
    select
        original.new_id,
        :name,
        original.description,
        original.github_repo_url,
        original.linear_issue_id,
        original.trigger_type,
        original.configuration,
        original.metadata,
        :created_by
    from original
    returning workflows.*
),

copied_steps as (
    insert into workflow_steps (
        id,
        workflow_id,
        key,
        position,
        title,
        step_type,
        configuration,
        condition,
        on_error,
        max_attempts,
        retry_delay,
        timeout
    )
    select
        step.new_id,
        step.new_workflow_id,
        step.key,
        step.position,
        step.title,
        step.step_type,
        step.configuration,
        step.condition,
        step.on_error,
        step.max_attempts,
        step.retry_delay,
        step.timeout
    from step
),

copied_needs as (
    insert into workflow_step_needs (workflow_id, step_id, needs_id)
    select
        need.workflow_id,
        need.step_id,
        need.needs_id
    from need
)

select
    workflow.id,
    workflow.name,
    workflow.description,
    workflow.status,
    workflow.github_repo_url,
    workflow.linear_issue_id,
    workflow.trigger_type,
    workflow.configuration,
    workflow.metadata,
    workflow.unhealthy_dependencies,
    workflow.created_by,
    workflow.created_at,
    workflow.updated_at
from workflow;

-- name: get
-- A workflow by its id.
--
-- plan: workflows_pkey, workflows_health_once
select workflow.*
from workflow_summaries as workflow
where workflow.id = :id
limit 1;

-- name: list_workflows
-- Workflows, newest first. Every filter is optional.
--
-- plan: workflows_by_creation, workflows_by_status, workflows_by_repository
select workflow.*
from workflow_summaries as workflow
where true
    and workflow.status = :status                                   -- if :status
    and workflow.trigger_type = :trigger_type                       -- if :trigger_type
    and workflow.github_repo_url = :github_repo_url                 -- if :github_repo_url
    and (workflow.created_at, workflow.id)                      -- if :after_created_at :after_id
        < (:after_created_at, :after_id)                        -- if :after_created_at :after_id
order by workflow.created_at desc, workflow.id desc
limit :limit;

-- name: find_by_linear_issue
-- The workflows that were made for an issue, the newest first.
--
-- plan: workflows_by_linear_issue
select workflow.*
from workflow_summaries as workflow
where workflow.linear_issue_id = :linear_issue_id
order by workflow.created_at desc, workflow.id desc;

-- name: update
-- Changes the given columns, and nothing else. Other functions change the status.
--
-- plan: workflows_pkey, workflows_health_once
update workflows as workflow
set
    name = :name,                                                   -- if :name
    description = :description,                                     -- if :description
    github_repo_url = :github_repo_url,                             -- if :github_repo_url
    linear_issue_id = :linear_issue_id,                             -- if :linear_issue_id
    trigger_type = :trigger_type,                                   -- if :trigger_type
    configuration = :configuration,                                 -- if :configuration
    metadata = :metadata,                                           -- if :metadata
    updated_at = now()
where workflow.id = :id
returning
    workflow.id,
    workflow.name,
    workflow.description,
    workflow.status,
    workflow.github_repo_url,
    workflow.linear_issue_id,
    workflow.trigger_type,
    workflow.configuration,
    workflow.metadata,
    workflow.unhealthy_dependencies,
    workflow.created_by,
    workflow.created_at,
    workflow.updated_at;

-- name: update_status
-- Changes a workflow's status.
--
-- plan: workflows_pkey, workflows_health_once
update workflows as workflow
set status = :status
where workflow.id = :id
returning
    workflow.id,
    workflow.name,
    workflow.description,
    workflow.status,
    workflow.github_repo_url,
    workflow.linear_issue_id,
    workflow.trigger_type,
    workflow.configuration,
    workflow.metadata,
    workflow.unhealthy_dependencies,
    workflow.created_by,
    workflow.created_at,
    workflow.updated_at;

-- name: delete
-- Deletes a workflow, with its steps, executions and external dependencies; its tasks stay.
--
-- plan: workflows_pkey, workflows_health_once
delete from workflows as workflow
where workflow.id = :id
returning workflow.id;

-- name: list_steps
-- The steps of a workflow, in the order of their places, each with its needs.
--
-- plan: workflow_steps_key_once_per_workflow, workflow_steps_known_with_their_workflow
select step.*
from full_steps as step
where step.workflow_id = :workflow_id
order by step.position, step.key;

-- name: update_step
-- Changes the given columns of a step, and nothing else.
--
-- plan: workflow_steps_key_once_per_workflow, workflow_steps_known_with_their_workflow
update workflow_steps as step
set
    position = :position,                                           -- if :position
    title = :title,                                                 -- if :title
    step_type = :step_type,                                         -- if :step_type
    configuration = :configuration,                                 -- if :configuration
    condition = :condition,                                         -- if :condition
    on_error = :on_error,                                           -- if :on_error
    max_attempts = :max_attempts,                                   -- if :max_attempts
    retry_delay = :retry_delay,                                     -- if :retry_delay
    timeout = :timeout,                                             -- if :timeout
    updated_at = now()
where step.workflow_id = :workflow_id and step.key = :key
returning step.id;

-- name: delete_step
-- Deletes a step; those that need it no longer do.
--
-- plan: workflow_steps_key_once_per_workflow, workflow_steps_known_with_their_workflow
delete from workflow_steps as step
where step.workflow_id = :workflow_id and step.key = :key
returning step.id;

-- name: add_need
-- Adds a need of one step for another of its workflow.
--
-- plan: workflow_steps_key_once_per_workflow, workflow_steps_known_with_their_workflow
with both_steps as (
    select
        step.workflow_id,
        step.id as step_id,
        needed.id as needs_id
    from workflow_steps as step
    inner join workflow_steps as needed on needed.workflow_id = step.workflow_id
    where
        step.workflow_id = :workflow_id
        and step.key = :step
        and needed.key = :needs
)

insert into workflow_step_needs (workflow_id, step_id, needs_id)
select
    both_steps.workflow_id,
    both_steps.step_id,
    both_steps.needs_id
from both_steps
returning step_id;

-- name: remove_need
-- Removes a need of a step.
--
-- plan: workflow_steps_key_once_per_workflow, workflow_steps_known_with_their_workflow
delete from workflow_step_needs as need
where
    need.workflow_id = :workflow_id
    and need.step_id = (
        select step.id
        from workflow_steps as step
        where step.workflow_id = :workflow_id and step.key = :step
    )
    and need.needs_id = (
        select needed.id
        from workflow_steps as needed
        where needed.workflow_id = :workflow_id and needed.key = :needs
    )
returning need.step_id;

-- name: statistics
-- Statistics of all executions of a workflow.
--
-- plan: workflow_executions_by_workflow
select statistics.*
from workflow_statistics as statistics
where statistics.workflow_id = :id
limit 1;

-- name: list_statistics
-- The same of every workflow, by name.
--
-- plan: allow full-scan: it counts the executions of all
select statistics.*
from workflow_statistics as statistics
order by statistics.name, statistics.workflow_id
limit :limit;

-- name: performance_metrics
-- Statistics of a workflow's executions that were started in the last :days days.
--
-- plan: workflow_executions_by_workflow
select
    workflow.id as workflow_id,
    count(execution.id) as execution_count,
    count(*) filter (where execution.status = 'running') as running_count,
    count(*) filter (where execution.status = 'completed') as completed_count,
    count(*) filter (where execution.status = 'failed') as failed_count,
    count(*) filter (where execution.status = 'cancelled') as cancelled_count,
    round(
        100.0
        * count(*) filter (where execution.status = 'completed')
        / nullif(count(*) filter (where execution.status in ('completed', 'failed')), 0),
        2
    ) as success_pct,
    min(execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as shortest_duration,
    avg(execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as average_duration,
    max(execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as longest_duration,
    percentile_cont(0.5) within group (order by execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as median_duration,
    percentile_cont(0.95) within group (order by execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as p95_duration,
    percentile_cont(0.99) within group (order by execution.ended_at - execution.started_at)
        filter (where execution.status = 'completed') as p99_duration,
    cast(coalesce(sum(execution.total_tasks), 0) as bigint) as total_tasks,
    cast(coalesce(sum(execution.completed_tasks), 0) as bigint) as completed_tasks,
    cast(coalesce(sum(execution.failed_tasks), 0) as bigint) as failed_tasks
from workflows as workflow
left join workflow_executions as execution
    on
        execution.workflow_id = workflow.id
        and execution.started_at >= now() - make_interval(days => cast(:days as integer))
where workflow.id = :workflow
group by workflow.id;
