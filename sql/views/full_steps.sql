-- The steps of workflows, each with the keys of what it needs.
create view full_steps as
select
    step.id,
    step.workflow_id,
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
    step.created_at,
    step.updated_at,
    array(
        select cast(needed.key as text)
        from workflow_step_needs as need
        inner join workflow_steps as needed on needed.id = need.needs_id
        where need.workflow_id = step.workflow_id and need.step_id = step.id
        order by needed.key
    ) as needs
from workflow_steps as step;

comment on view full_steps is 'Steps of workflows, with their needs.';
