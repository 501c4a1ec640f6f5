-- External dependencies of tasks and workflows, and their health.

-- name: create
-- A service or resource that a task or a workflow needs.
insert into external_dependencies (
    task_id,
    workflow_id,
    service,
    resource,
    validation_rule,
    is_required,
    health,
    check_interval,
    timeout,
    max_retries,
    retry_delay,
    metadata
)
values (
    :task_id,
    :workflow_id,
    :service,
    :resource,
    :validation_rule,
    :is_required,
    :health,
    :check_interval,
    :timeout,
    :max_retries,
    :retry_delay,
    :metadata
)
returning
    id,
    task_id,
    workflow_id,
    service,
    resource,
    cast(validation_rule as text) as validation_rule,
    is_required,
    health,
    check_interval,
    timeout,
    max_retries,
    retry_delay,
    failed_checks,
    response,
    error_message,
    metadata,
    checked_at,
    next_check_at,
    created_at,
    updated_at;

-- name: get
-- An external dependency by its id.
--
-- plan: external_dependencies_pkey
select dependency.*
from external_dependencies as dependency
where dependency.id = :id;

-- name: list_externals
-- External dependencies, in the order of their creation. Every filter is optional.
--
-- plan: external_dependencies_pkey, external_dependencies_by_task,
-- plan: external_dependencies_by_workflow, external_dependencies_by_health
select dependency.*
from external_dependencies as dependency
where true
    and dependency.task_id = :task_id                               -- if :task_id
    and dependency.workflow_id = :workflow_id                       -- if :workflow_id
    and dependency.health = :health                                 -- if :health
order by dependency.id
limit :limit;

-- name: update
-- Changes the given columns, and nothing else. record_check sets the health.
--
-- plan: external_dependencies_pkey
update external_dependencies as dependency
set
    service = :service,                                             -- if :service
    resource = :resource,                                           -- if :resource
    validation_rule = :validation_rule,                             -- if :validation_rule
    is_required = :is_required,                                     -- if :is_required
    check_interval = :check_interval,                               -- if :check_interval
    timeout = :timeout,                                             -- if :timeout
    max_retries = :max_retries,                                     -- if :max_retries
    retry_delay = :retry_delay,                                     -- if :retry_delay
    metadata = :metadata,                                           -- if :metadata
    next_check_at = :next_check_at,                                 -- if :next_check_at
    updated_at = now()
where dependency.id = :id
returning dependency.*;

-- name: delete
-- Deletes an external dependency.
--
-- plan: external_dependencies_pkey
delete from external_dependencies as dependency
where dependency.id = :id
returning dependency.id;

-- name: due_checks
-- The external dependencies due for a check, the longest due first, reserved for their timeout:
-- until then no other checker gets them.
--
-- plan: external_dependencies_by_next_check
-- plan: allow full-scan: of a limit not known the planner expects a tenth of all
with due as (
    select
        dependency.id,
        now() + dependency.timeout as taken_until
    from external_dependencies as dependency
    where dependency.next_check_at <= now()
    order by dependency.next_check_at, dependency.id
    limit :limit
    for no key update skip locked
),

taken as (
    update external_dependencies as dependency
    set next_check_at = due.taken_until
    from due
    where dependency.id = due.id
    returning dependency.*
)

select taken.*
from taken
order by taken.service, taken.id;

-- name: record_check
-- The result of a check. It succeeded if its checker reports so and the response satisfies the
-- rule, if there is one. Retries wait twice as long each time, up to the interval.
--
-- plan: external_dependencies_pkey
with dependency as (
    select
        dependency.id,
        dependency.health,
        dependency.check_interval,
        dependency.max_retries,
        dependency.retry_delay,
        dependency.failed_checks,
        cast(:succeeded as boolean)
        and (
            dependency.validation_rule is null
            or coalesce(cast(:response as jsonb) @@ dependency.validation_rule, false)
        ) as succeeded
    from external_dependencies as dependency
    where dependency.id = :id
    for no key update
),

seen as (
    select
        dependency.id,
        case
            when dependency.succeeded then cast('healthy' as shared.health)
            when dependency.failed_checks >= dependency.max_retries then 'unhealthy'
            else dependency.health
        end as health,
        case when dependency.succeeded then 0 else dependency.failed_checks + 1 end
            as failed_checks,
        now() + case
            when dependency.succeeded then dependency.check_interval
            else least(
                dependency.check_interval,
                dependency.retry_delay * power(2, least(dependency.failed_checks, 16))
            )
        end as next_check_at,
        case
            when not dependency.succeeded
                then coalesce(:error, 'the response breaks the validation rule')
        end as error_message
    from dependency
)

update external_dependencies as dependency
set
    health = seen.health,
    failed_checks = seen.failed_checks,
    response = :response,
    error_message = seen.error_message,
    checked_at = now(),
    next_check_at = seen.next_check_at
from seen
where dependency.id = seen.id
returning dependency.*;
