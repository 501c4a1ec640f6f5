-- Tasks that went on although a dependency is open again, or was added later.
create view ran_early as
select
    task.id,
    task.key,
    task.title,
    task.status,
    task.open_dependencies
from tasks as task
where task.open_dependencies > 0 and task.status not in ('pending', 'blocked');

comment on view ran_early is
    'Tasks in progress, in review or finished while a dependency of theirs is open.';
