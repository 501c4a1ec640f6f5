-- taskdb's queue of jobs that do nothing.

-- name: empty_tasks
truncate tasks cascade;

-- name: fill_tasks
-- The default plan: priorities are equal.
insert into tasks (key, title)
select
    'JOB-' || n as key,
    'Do nothing' as title
from generate_series(1, :jobs::integer) as n;

-- name: tasks_done
select count(*) as done
from tasks as task
where task.status = 'completed';
