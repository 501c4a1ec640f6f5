-- The file locks of implementation tasks in progress, each of one task: the key refuses an overlap,
-- by whatever route a task is started, and at the same moment. Written by triggers when a task goes
-- into progress and out of it. An agent that takes over a lapsed task takes its files with it.
create table file_locks (
    path text collate "C" primary key,
    task_id uuid not null,
    constraint file_locks_task_exists
        foreign key (task_id) references implementation_tasks (task_id) on delete cascade
);

-- Serves the trigger that releases a task's file locks.
create index file_locks_by_task on file_locks (task_id);

comment on table file_locks is 'File locks of implementation tasks in progress.';
