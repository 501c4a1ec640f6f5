-- 0021 back: the index goes.
set lock_timeout = '2s';

drop index concurrently if exists tasks_ready_in_order;
