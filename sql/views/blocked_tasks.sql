-- The blocked tasks, each with the keys of its open dependencies.
create view blocked_tasks as
select
    task.id,
    task.key,
    task.title,
    task.effective_priority,
    task.place,
    task.created_at,
    task.blocked_reason,
    task.blocked_at,
    task.open_dependencies,
    array(
        select blocker.key
        from task_dependencies as edge
        inner join tasks as blocker on blocker.id = edge.depends_on_id
        where
            edge.task_id = task.id
            and not edge.is_satisfied
        order by blocker.key
    ) as open_blockers
from tasks as task
-- None is ready: so the index has them in the order of the claim.
where task.status = 'blocked' and not task.is_ready;

comment on view blocked_tasks is 'Blocked tasks, each with the keys of the tasks it waits for.';
comment on column blocked_tasks.open_blockers is 'The keys of its unsatisfied dependencies.';
