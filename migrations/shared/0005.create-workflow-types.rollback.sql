-- 0005 back: the types of workflows, their executions, and external dependencies.
-- Locks: access exclusive on what it drops.
set local lock_timeout = '2s';

drop domain duration;
drop type health;
drop type pull_request_state;
drop type step_status;
drop type execution_status;
drop type error_policy;
drop type trigger_type;
drop type workflow_status;
