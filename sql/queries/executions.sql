-- Executions: start, take the next steps, record them, end.
-- Rows are locked in one order everywhere: the execution, then its steps.

-- name: start_execution
-- One run of a workflow, with its configuration and steps as they are now. A trigger refuses it
-- unless the workflow is active.
--
-- plan: workflows_pkey, workflows_health_once
with workflow as (
    select
        workflow.id,
        workflow.trigger_type,
        workflow.configuration
    from workflows as workflow
    where workflow.id = :workflow_id
),

step as (
    select step.*
    from workflow
    inner join full_steps as step on step.workflow_id = workflow.id
),

started as (
    insert into workflow_executions (
        workflow_id,
        trigger_type,
        triggered_by,
        configuration,
        context,
        branch,
        commit_sha,
        pull_request_number,
        pull_request_state
    )
    select
        workflow.id,
        coalesce(:trigger_type, workflow.trigger_type),
        :triggered_by,
        workflow.configuration,
        coalesce(cast(:context as jsonb), '{}'),
        :branch,
        :commit_sha,
        :pull_request_number,
        :pull_request_state
    from workflow
    returning workflow_executions.*
),

started_steps as (
    insert into execution_steps (
        execution_id,
        key,
        position,
        title,
        step_type,
        configuration,
        condition,
        on_error,
        max_attempts,
        retry_delay,
        timeout,
        needs
    )
    select
        started.id,
        step.key,
        step.position,
        step.title,
        step.step_type,
        step.configuration,
        step.condition,
        step.on_error,
        step.max_attempts,
        step.retry_delay,
        step.timeout,
        step.needs
    from started
    cross join step
)

select
    started.id,
    started.workflow_id,
    started.status,
    started.trigger_type,
    started.triggered_by,
    started.configuration,
    started.context,
    started.branch,
    started.commit_sha,
    started.pull_request_number,
    started.pull_request_state,
    started.total_tasks,
    started.completed_tasks,
    started.failed_tasks,
    started.resource_usage,
    started.error_message,
    started.started_at,
    started.ended_at,
    started.created_at,
    started.updated_at
from started;

-- name: get
-- An execution by its id.
--
-- plan: workflow_executions_pkey
select execution.*
from workflow_executions as execution
where execution.id = :id;

-- name: list_executions
-- Executions, newest first. Every filter is optional.
--
-- plan: workflow_executions_by_start, workflow_executions_by_workflow,
-- plan: workflow_executions_by_pull_request, workflow_executions_by_branch
select execution.*
from workflow_executions as execution
where true
    and execution.workflow_id = :workflow_id                        -- if :workflow_id
    and execution.status = :status                                  -- if :status
    and execution.branch = :branch                                  -- if :branch
    and execution.pull_request_number = :pull_request_number        -- if :pull_request_number
    and (execution.started_at, execution.id)                    -- if :after_started_at :after_id
        < (:after_started_at, :after_id)                        -- if :after_started_at :after_id
order by execution.started_at desc, execution.id desc
limit :limit;

-- name: list_tasks
-- The tasks of an execution, newest first.
--
-- plan: tasks_by_execution
select
    task.id,
    task.key,
    task.feature_id,
    task.workflow_id,
    task.workflow_execution_id,
    task.title,
    task.status,
    task.priority,
    task.effective_priority,
    task.agent_type,
    task.assigned_agent,
    task.parent_id,
    task.scheduled_at,
    task.open_dependencies,
    task.created_at,
    task.updated_at,
    task.completed_at
from full_tasks as task
where task.workflow_execution_id = :id
order by task.created_at desc, task.id desc
limit :limit;

-- name: list_steps
-- The steps of an execution, in the order of their places, with their status and result.
--
-- plan: execution_steps_pkey
select step.*
from execution_steps as step
where step.execution_id = :id
order by step.position, step.key;

-- name: update
-- Changes the given columns, and nothing else.
--
-- plan: workflow_executions_pkey
update workflow_executions as execution
set
    branch = :branch,                                               -- if :branch
    commit_sha = :commit_sha,                                       -- if :commit_sha
    pull_request_number = :pull_request_number,                     -- if :pull_request_number
    pull_request_state = :pull_request_state,                       -- if :pull_request_state
    resource_usage = :resource_usage,                               -- if :resource_usage
    updated_at = now()
where execution.id = :id
returning execution.*;

-- name: next_steps
-- The steps that can begin now, in the order of their places. Steps whose condition does not hold
-- are skipped, and with them all that need them, directly or not.
--
-- plan: execution_steps_pkey
with recursive candidate as (
    select
        startable.key,
        startable.condition_holds
    from startable_steps as startable
    where startable.execution_id = :id
),

missed as (
    select candidate.key
    from candidate
    where not candidate.condition_holds
    union
    select step.key
    from missed
    inner join execution_steps as step
        on step.execution_id = :id and missed.key = any(step.needs)
),

skipped as (
    update execution_steps as step
    set status = 'skipped', ended_at = now()
    from missed
    where
        step.execution_id = :id
        and step.key = missed.key
        and step.status = 'pending'
)

select step.*
from candidate
inner join execution_steps as step on step.execution_id = :id and step.key = candidate.key
where candidate.condition_holds
order by step.position, step.key;

-- name: start_step
-- Begins one more attempt at a step, if it can begin and is not begun yet.
--
-- plan: execution_steps_pkey
with execution as (
    select execution.id
    from workflow_executions as execution
    where execution.id = :execution_id and execution.status = 'running'
    for no key update
),

candidate as (
    select
        step.attempt,
        now() + step.timeout as deadline_at
    from execution
    inner join startable_steps as startable on startable.execution_id = execution.id
    inner join execution_steps as step
        on step.execution_id = startable.execution_id and step.key = startable.key
    where
        startable.execution_id = :execution_id
        and startable.key = :step
        and startable.condition_holds
)

update execution_steps as step
set
    status = 'in_progress',
    attempt = candidate.attempt + 1,
    started_at = now(),
    deadline_at = candidate.deadline_at,
    retry_at = null,
    error_message = null
from candidate
where
    step.execution_id = :execution_id
    and step.key = :step
    and step.attempt = candidate.attempt
    and step.status in ('pending', 'retrying')
returning step.*;

-- name: complete_step
-- An attempt succeeded. Later conditions see its additions to the context.
--
-- plan: execution_steps_pkey
with execution as (
    select execution.id
    from workflow_executions as execution
    where execution.id = :execution_id and execution.status = 'running'
    for no key update
),

done as (
    update execution_steps as step
    set
        status = 'completed',
        ended_at = now(),
        deadline_at = null,
        output = :output
    from execution
    where
        step.execution_id = execution.id
        and step.execution_id = :execution_id
        and step.key = :step
        and step.attempt = :attempt
        and step.status = 'in_progress'
    returning step.*
),

reported as (
    update workflow_executions as execution
    set context = execution.context || cast(:context as jsonb)
    from done
    where execution.id = done.execution_id and cast(:context as jsonb) is not null
)

select done.*
from done;

-- name: fail_step
-- An attempt failed. With on_error = retry it is tried again after a delay, if attempts are left;
-- with continue the execution goes on; else the execution fails with it.
--
-- plan: execution_steps_pkey
with execution as (
    select execution.id
    from workflow_executions as execution
    where execution.id = :execution_id and execution.status = 'running'
    for no key update
),

attempt as (
    select
        step.execution_id,
        step.key,
        step.on_error = 'retry' and :attempt < step.max_attempts as again,
        now() + step.retry_delay as retry_at
    from execution
    inner join execution_steps as step on step.execution_id = execution.id
    where step.execution_id = :execution_id and step.key = :step
),

failed as (
    update execution_steps as step
    set
        status = case
            when attempt.again then cast('retrying' as shared.step_status) else 'failed'
        end,
        retry_at = case when attempt.again then attempt.retry_at end,
        ended_at = case when not attempt.again then now() end,
        deadline_at = null,
        output = :output,
        error_message = :error
    from attempt
    where
        step.execution_id = attempt.execution_id
        and step.execution_id = :execution_id
        and step.key = :step
        and step.attempt = :attempt
        and step.status = 'in_progress'
    returning step.*
),

stopped as (
    update workflow_executions as execution
    set status = 'failed', error_message = 'step ' || failed.key || ': ' || :error
    from failed
    where
        execution.id = failed.execution_id
        and failed.status = 'failed'
        and failed.on_error <> 'continue'
)

select failed.*
from failed;

-- name: overdue_steps
-- Attempts that exceed their timeout, the longest overdue first.
--
-- plan: execution_steps_by_deadline
select step.*
from execution_steps as step
where step.deadline_at <= now()
order by step.deadline_at, step.execution_id, step.key
limit :limit;

-- name: complete_execution
-- An execution succeeded. A trigger counts its tasks, unless they are given.
--
-- plan: workflow_executions_pkey
update workflow_executions as execution
set
    status = 'completed',
    total_tasks = coalesce(:total_tasks, execution.total_tasks),
    completed_tasks = coalesce(:completed_tasks, execution.completed_tasks),
    failed_tasks = coalesce(:failed_tasks, execution.failed_tasks),
    resource_usage = coalesce(:resource_usage, execution.resource_usage)
where execution.id = :id
returning execution.*;

-- name: fail_execution
-- An execution failed.
--
-- plan: workflow_executions_pkey
update workflow_executions as execution
set
    status = 'failed',
    error_message = :error,
    total_tasks = coalesce(:total_tasks, execution.total_tasks),
    completed_tasks = coalesce(:completed_tasks, execution.completed_tasks),
    failed_tasks = coalesce(:failed_tasks, execution.failed_tasks),
    resource_usage = coalesce(:resource_usage, execution.resource_usage)
where execution.id = :id
returning execution.*;

-- name: cancel_execution
-- An execution is cancelled.
--
-- plan: workflow_executions_pkey
update workflow_executions as execution
set
    status = 'cancelled',
    error_message = :reason
where execution.id = :id
returning execution.*;
