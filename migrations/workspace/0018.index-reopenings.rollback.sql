-- 0018 back: the index goes.
set lock_timeout = '2s';

drop index concurrently if exists task_history_reopenings;
