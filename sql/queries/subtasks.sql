-- Subtasks: a task's checklist.

-- name: append
-- A new line at the end of a task's checklist.
--
-- plan: tasks_key_is_unique
-- plan: subtasks_in_order
with list as (
    select
        task.id as task_id,
        coalesce(last.position, 0) + 1 as next_position
    from tasks as task
    left join lateral (
        select subtask.position
        from subtasks as subtask
        where subtask.task_id = task.id
        order by subtask.position desc
        limit 1
    ) as last
        on true
    where task.key = :task
)

insert into subtasks (task_id, position, title, description)
select
    list.task_id,
    list.next_position,
    :title,
    :description
from list
returning subtasks.*;

-- name: list_subtasks
-- A task's checklist, in order.
--
-- plan: subtasks_in_order
select subtask.*
from tasks as task
inner join subtasks as subtask on subtask.task_id = task.id
where task.key = :task
order by subtask.position, subtask.created_at, subtask.id;

-- name: check_off
-- Sets the status of a line.
--
-- plan: subtasks_pkey
update subtasks
set status = :status
where id = :id
returning subtasks.*;

-- name: reorder
-- Puts the lines of a task into the order of the list; others stay behind them.
--
-- plan: tasks_key_is_unique
-- plan: subtasks_in_order
with wanted as (
    select
        subtask.id,
        row_number() over (
            order by place.position nulls last, subtask.position, subtask.created_at, subtask.id
        ) as position
    from tasks as task
    inner join subtasks as subtask on subtask.task_id = task.id
    left join unnest(cast(:ids as uuid[])) with ordinality as place (id, position)
        on place.id = subtask.id
    where task.key = :task
)

update subtasks as subtask
set position = wanted.position
from wanted
where subtask.id = wanted.id and subtask.position <> wanted.position;

-- name: delete
-- Deletes a line.
--
-- plan: subtasks_pkey
delete from subtasks
where id = :id
returning id;
