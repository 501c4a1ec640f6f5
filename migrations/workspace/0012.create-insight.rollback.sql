-- 0012 back: insight.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop view task_flow;
drop view task_moves;
drop function search_candidates(tsquery, int);
drop function task_unblocks(uuid);
drop function plan_schedule(uuid[]);
drop function open_task_gates(uuid[]);
drop function open_task_region(uuid[]);
drop view task_hours_by_type;
