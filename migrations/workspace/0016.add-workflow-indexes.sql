-- 0016: executions of a pull request or branch, workflows of a repository are found by index.
-- `taskdb check plans` found the lists reading their whole tables among a million tasks.
-- Locks: share update exclusive on workflow_executions and workflows, for a second (reads and
--   writes go on)
-- Check: select count(*) from pg_indexes where schemaname = current_schema()
--   and indexname in ('workflow_executions_by_pull_request', 'workflow_executions_by_branch',
--   'workflows_by_repository');  -- expect 3
-- transactional: false

-- squawk-ignore-file prefer-robust-stmts, ban-concurrent-index-creation-in-transaction
-- (It does not know the head's last line; and the runner rolls back before it tries again.)
set lock_timeout = '2s';

create index concurrently workflow_executions_by_pull_request
    on workflow_executions (pull_request_number, started_at desc, id desc)
    where pull_request_number is not null;

create index concurrently workflow_executions_by_branch
    on workflow_executions (branch, started_at desc, id desc)
    where branch is not null;

create index concurrently workflows_by_repository
    on workflows (github_repo_url, created_at desc, id desc)
    where github_repo_url is not null;
