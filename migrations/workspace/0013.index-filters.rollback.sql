-- 0013 back: the three indexes go.
set lock_timeout = '2s';

drop index concurrently if exists tasks_by_priority;
drop index concurrently if exists tasks_by_creator;
drop index concurrently if exists tasks_by_agent_type;
