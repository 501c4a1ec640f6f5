-- 0014 back: the four indexes go.
set lock_timeout = '2s';

drop index concurrently if exists tasks_by_schedule;
drop index concurrently if exists tasks_by_assigned_agent;
drop index concurrently if exists tasks_blocked_in_order;
drop index concurrently if exists tasks_to_claim_in_order;
