-- Beside the public functions: the bare tables that inserts are compared with, and how blockers
-- of one task are completed by one statement.

-- name: make_bare_tasks
create table if not exists bare_tasks (like tasks including defaults including indexes);

-- name: make_bare_edges
create table if not exists bare_edges (like task_dependencies including defaults including indexes);

-- name: insert_bare_task
insert into bare_tasks (key, title)
values (:key, :title)
returning created_at;

-- name: insert_bare_edge
insert into bare_edges (task_id, depends_on_id)
select
    task.id,
    blocker.id
from tasks as task
inner join tasks as blocker on blocker.key = :depends_on
where task.key = :task
returning created_at;

-- name: copy_bare_tasks
copy bare_tasks (key, title, priority) from stdin;

-- name: copy_bare_edges
copy bare_edges (task_id, depends_on_id) from stdin;

-- name: empty_bare
truncate bare_tasks, bare_edges;

-- name: empty_plan
truncate epics, tasks cascade;

-- name: forget_statistics
-- As in a database that was just set up. Only a superuser may.
delete from pg_statistic
where
    starelid in (
        select class.oid
        from pg_class as class
        where class.relnamespace = current_schema()::regnamespace
    );

-- name: analyze_all
vacuum (analyze);

-- name: fill_blockers
insert into tasks (key, title)
select
    'BLOCKER-' || n as key,
    'Do nothing' as title
from generate_series(0, :blockers::integer) as n;

-- name: block_one
insert into task_dependencies (task_id, depends_on_id)
select
    milestone.id,
    blocker.id
from tasks as milestone
inner join tasks as blocker on blocker.key <> milestone.key
where milestone.key = 'BLOCKER-0';

-- name: start_blockers
update tasks as task
set status = 'in_progress'
where task.key <> 'BLOCKER-0';

-- name: complete_blockers
update tasks as task
set status = 'completed'
where task.key <> 'BLOCKER-0';

-- name: milestone_status
select task.status::text as status
from tasks as task
where task.key = 'BLOCKER-0';
