-- 0006 back: when a task passes its urgency on.
-- Locks: access exclusive on the function.
set local lock_timeout = '2s';

drop function is_wanted(task_status, timestamptz);
