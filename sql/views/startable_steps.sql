-- The steps that can begin now, and whether the condition of each holds: of running executions,
-- those whose needs are all done, and those due for a retry. A step is done for those that need it
-- when it is completed, or failed with on_error = continue.
--
-- A step whose condition does not hold is skipped, and with it, as in GitHub Actions, all that need
-- it, directly or not: queries/executions.sql, next_steps. A path that is no predicate, or that
-- cannot be followed, does not hold.
create view startable_steps as
select
    step.execution_id,
    step.key,
    step.status,
    step.attempt,
    step.condition is null or coalesce(execution.context @@ step.condition, false)
        as condition_holds
from execution_steps as step
inner join workflow_executions as execution on execution.id = step.execution_id
where
    execution.status = 'running'
    and step.status = 'pending'
    and not exists (
        select from execution_steps as need
        where
            need.execution_id = step.execution_id
            and need.key = any(step.needs)
            and need.status <> 'completed'
            and (need.status <> 'failed' or need.on_error <> 'continue')
    )
union all
select
    step.execution_id,
    step.key,
    step.status,
    step.attempt,
    true
from execution_steps as step
inner join workflow_executions as execution on execution.id = step.execution_id
where
    execution.status = 'running'
    and step.status = 'retrying'
    and step.retry_at <= now();

comment on view startable_steps is
    'Steps of running executions that wait for nothing more, or are due to be tried again.';
comment on column startable_steps.condition_holds is
    'False: the step is to be skipped. It was begun before: always true.';
