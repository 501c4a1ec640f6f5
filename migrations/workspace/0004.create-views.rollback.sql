-- 0004 back: what is ready, blocked, done.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop view epic_progress;
drop view feature_progress;
drop view ran_early;
drop view task_obstacles;
drop view blocked_tasks;
drop view ready_tasks;
