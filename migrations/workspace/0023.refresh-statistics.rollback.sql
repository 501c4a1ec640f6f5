-- 0023 back: loads go by whatever statistics there are.
-- Locks: access exclusive on tasks and task_dependencies, for milliseconds
set local lock_timeout = '2s';

drop trigger task_dependencies_05_refresh_statistics on task_dependencies;
drop trigger tasks_05_refresh_statistics on tasks;
drop function refresh_statistics();
