-- 0009 back: workflows, their steps, their executions.
-- Locks: access exclusive on tasks and on what it drops.
set local lock_timeout = '2s';

drop view workflow_statistics;
drop view startable_steps;
drop trigger tasks_52_follow_workflow on tasks;
alter table tasks
    drop column workflow_is_healthy,
    drop column unhealthy_dependencies,
    drop column workflow_execution_id,
    drop column workflow_id;
drop table execution_steps;
drop table workflow_executions;
drop table workflow_step_needs;
drop table workflow_steps;
drop table workflow_status_transitions;
drop table workflows;
drop function follow_workflow();
drop function cancel_open_steps();
drop function settle_execution();
drop function refuse_revived_execution();
drop function refuse_idle_workflow();
drop function refuse_step_cycle();
drop function refuse_workflow_move();
drop function step_cycle(uuid);
