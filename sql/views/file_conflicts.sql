-- Implementation tasks with files that another task, which is in progress, holds: a row for
-- each such file. Until it has none a pending task is not handed out.
create view file_conflicts as
select
    work.task_id,
    held.path,
    held.task_id as holder_id
from implementation_tasks as work
cross join lateral unnest(work.assigned_files) as assigned (path)
inner join held_files as held on held.path = assigned.path
where held.task_id <> work.task_id;

comment on view file_conflicts is
    'Files of implementation tasks that another task in progress holds.';
