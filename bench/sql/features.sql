-- Queues of tasks that use something of taskdb beyond the queue: each says what it adds to the
-- default plan's.

-- name: add_specification
insert into technical_specs (spec_number, title, content)
values (:number, 'What the jobs implement', 'Nothing')
on conflict (spec_number) do update
    set title = excluded.title
returning id;

-- name: add_files
-- Every task is an implementation task with two files of its own.
insert into implementation_tasks (task_id, spec_id, scope, assigned_files, branch_name)
select
    task.id,
    :spec_id::uuid,
    'all',
    array['src/' || task.key || '.py', 'tests/' || task.key || '.py'],
    'branch-' || task.key
from tasks as task;

-- name: add_workflow
insert into workflows (name)
values ('The jobs'' workflow')
returning id;

-- name: add_service
insert into external_dependencies (workflow_id, service, health)
values (:workflow_id, 'a service', 'healthy');

-- name: fill_workflow
insert into tasks (key, title, workflow_id)
select
    'JOB-' || n as key,
    'Do nothing' as title,
    :workflow_id
from generate_series(1, :jobs::integer) as n;

-- name: add_dependents
insert into tasks (key, title, priority)
select
    'AFTER-' || n as key,
    'Do nothing' as title,
    :priority
from generate_series(1, :jobs::integer) as n;

-- name: add_edges
insert into task_dependencies (task_id, depends_on_id)
select
    later.id,
    job.id
from generate_series(1, :jobs::integer) as n
inner join tasks as job on job.key = 'JOB-' || n
inner join tasks as later on later.key = 'AFTER-' || n;

-- name: fill_mixed
-- Ten priorities.
insert into tasks (key, title, priority)
select
    'JOB-' || n as key,
    'Do nothing' as title,
    1 + n % 10 as priority
from generate_series(1, :jobs::integer) as n;
