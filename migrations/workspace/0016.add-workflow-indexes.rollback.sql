-- 0016 back: the three indexes go.
set lock_timeout = '2s';

drop index concurrently if exists workflows_by_repository;
drop index concurrently if exists workflow_executions_by_branch;
drop index concurrently if exists workflow_executions_by_pull_request;
