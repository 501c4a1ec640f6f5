-- The file locks of implementation tasks in progress, each of one task: the key refuses an overlap,
-- by whatever route a task is started, and at the same moment. Written by triggers when a task goes
-- into progress and out of it. An agent that takes over a lapsed task takes its files with it.
create table held_files (
    path text collate "C" primary key,
    task_id uuid not null,
    constraint held_files_task_exists
        foreign key (task_id) references implementation_tasks (task_id) on delete cascade
);

-- Serves the trigger that releases a task's file locks.
create index held_files_by_task on held_files (task_id);

comment on table held_files is 'File locks of implementation tasks in progress.';
