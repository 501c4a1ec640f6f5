-- The reasons why a task can't be claimed now, a row for each; no row, exactly if ready_tasks has
-- it. A dead dependency can never be satisfied by itself (is_dead).
create view task_blocking_reasons as
select
    task.id as task_id,
    'finished' as reason,
    null::uuid as blocker_id,
    null::text collate "C" as blocker_key,
    false as dead,
    'it is ' || task.status::text as detail
from tasks as task
where task.status in ('completed', 'failed', 'cancelled', 'archived')
union all
select
    task.id,
    'in_review',
    null,
    null,
    false,
    'its work is under review'
from tasks as task
where task.status = 'in_review'
union all
select
    task.id,
    case when task.claim_agent is null then 'started_by_hand' else 'claimed' end,
    null,
    null,
    false,
    case
        when task.claim_agent is not null and task.lease_expires_at is not null
            then 'claimed by ' || task.claim_agent || ' until ' || task.lease_expires_at::text
        else 'it was started without a claim'
    end
from tasks as task
where
    task.status = 'in_progress'
    and (task.claim_agent is null or task.lease_expires_at > now())
union all
select
    task.id,
    'overdue',
    null,
    null,
    false,
    'the lease of ' || task.claim_agent || ' lapsed at ' || task.lease_expires_at::text
    || '; the next claim ends it'
    || case
        when task.failed_attempts + 1 >= task.max_attempts
            then ', and was the last of ' || task.max_attempts
        else ''
    end
from tasks as task
where
    task.status = 'in_progress'
    and task.claim_agent is not null
    and task.lease_expires_at is not null
    and task.lease_expires_at <= now()
    and (
        task.failed_attempts + 1 >= task.max_attempts
        or task.open_dependencies > 0
        or task.unhealthy_dependencies > 0
        or not task.workflow_is_healthy
        or task.is_paused
        or task.scheduled_at > now()
    )
union all
select
    task.id,
    'paused',
    null,
    null,
    false,
    'claiming is paused for it'
from tasks as task
where
    task.is_paused
    and task.status in ('pending', 'blocked')
union all
select
    task.id,
    'on_hold',
    null,
    null,
    false,
    task.blocked_reason
from tasks as task
where task.blocked_reason is not null
union all
select
    task.id,
    'dependency',
    blocker.id,
    blocker.key,
    is_dead(edge.dependency_type, blocker.status, blocker.completed_at),
    replace(edge.dependency_type::text, '_', ' ') || ' ' || blocker.key || ', which is '
    || blocker.status::text
from tasks as task
inner join task_dependencies as edge on edge.task_id = task.id
inner join tasks as blocker on blocker.id = edge.depends_on_id
where
    task.status in ('pending', 'blocked')
    and not edge.is_satisfied
union all
select
    task.id,
    'concurrency_key',
    holder.id,
    holder.key,
    false,
    'of the concurrency key ' || task.concurrency_key || ' at most ' || used.at_most::text
    || case when used.at_most = 1 then ' is' else ' are' end
    || ' in progress at a time, as ' || holder.key || ' is now'
from tasks as task
inner join concurrency_keys as used
    on used.key = task.concurrency_key and used.running >= used.at_most
inner join concurrency_slots as slot on slot.key = task.concurrency_key
inner join tasks as holder on holder.id = slot.task_id
where task.status in ('pending', 'blocked')
union all
select
    task.id,
    'scheduled',
    null,
    null,
    false,
    'not before ' || task.scheduled_at::text
from tasks as task
where
    task.status in ('pending', 'blocked')
    and not task.is_due
    and task.scheduled_at > now()
union all
select
    task.id,
    'external',
    null,
    null,
    false,
    dependency.service || coalesce(' at ' || dependency.resource, '') || ' is unhealthy'
    || coalesce(': ' || dependency.error_message, '')
from external_dependencies as dependency
inner join tasks as task on task.id = dependency.task_id
where
    task.status in ('pending', 'blocked')
    and dependency.is_required
    and dependency.health = 'unhealthy'
union all
select
    task.id,
    'external',
    null,
    null,
    false,
    dependency.service || coalesce(' at ' || dependency.resource, '')
    || ', which its workflow needs, is unhealthy'
    || coalesce(': ' || dependency.error_message, '')
from external_dependencies as dependency
inner join tasks as task on task.workflow_id = dependency.workflow_id
where
    task.status in ('pending', 'blocked')
    and dependency.is_required
    and dependency.health = 'unhealthy'
union all
select
    task.id,
    'files',
    holder.id,
    holder.key,
    false,
    string_agg(clash.path, ', ' order by clash.path)
    || case when count(*) > 1 then ' are' else ' is' end
    || ' locked by ' || holder.key
from tasks as task
inner join file_conflicts as clash on clash.task_id = task.id
inner join tasks as holder on holder.id = clash.holder_id
where task.status in ('pending', 'blocked')
group by task.id, holder.id, holder.key;

comment on view task_blocking_reasons is
    'The reasons why a task cannot be claimed now, a row for each.';
comment on column task_blocking_reasons.reason is
    'finished, in_review, claimed, started_by_hand, overdue, paused, on_hold, dependency, '
    'concurrency_key, scheduled, external, files.';
comment on column task_blocking_reasons.dead is 'It will not go away by itself.';
