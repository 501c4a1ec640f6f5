-- Files of implementation tasks that another task, in progress, locks: a row for each such file. A
-- pending task with such a row cannot be claimed.
create view file_conflicts as
select
    work.task_id,
    file.path,
    file.task_id as holder_id
from implementation_tasks as work
cross join lateral unnest(work.assigned_files) as assigned (path)
inner join file_locks as file on file.path = assigned.path
where file.task_id <> work.task_id;

comment on view file_conflicts is
    'Files of implementation tasks that another task in progress locks.';
