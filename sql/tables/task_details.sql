-- A task's text and plan: one row for each row of tasks, with the indexes of the list filters. A
-- transition does not write it. An insert into tasks alone adds its row by trigger.
create table task_details (
    task_id uuid primary key,
    description text,
    feature_id uuid,
    parent_id uuid,
    complexity_score shared.score,
    estimated_hours shared.hours,
    actual_hours shared.hours,
    requirements shared.object_json,
    context shared.object_json,
    metadata shared.object_json,
    labels shared.name_list not null default '{}',
    file_path shared.name_text,
    created_by shared.name_text,
    -- The back-off of failed attempts: functions/retry_pause.sql.
    retry_delay shared.duration,
    retry_factor shared.factor,
    max_retry_delay shared.duration,
    version integer not null default 1,
    -- Copies from tasks, for the indexes below; kept by trigger.
    priority shared.priority not null default 5,
    agent_type shared.name_text,
    assigned_agent shared.name_text,
    created_at shared.moment not null default now(),
    updated_at shared.moment not null default now(),
    constraint task_details_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_details_feature_exists
        foreign key (feature_id) references features (id) on delete cascade,
    constraint task_details_parent_exists
        foreign key (parent_id) references tasks (id) on delete cascade
);

-- Serve queries/tasks.sql: list_tasks, newest first, and the deletion of what tasks belong to.
create index task_details_by_creation on task_details (created_at desc, task_id desc);
create index task_details_by_feature
    on task_details (feature_id, created_at desc, task_id desc)
    where feature_id is not null;
create index task_details_by_parent
    on task_details (parent_id, created_at desc, task_id desc)
    where parent_id is not null;
create index task_details_by_creator
    on task_details (created_by, created_at desc, task_id desc)
    where created_by is not null;
create index task_details_by_priority on task_details (priority, created_at desc, task_id desc);
create index task_details_by_agent_type
    on task_details (agent_type, created_at desc, task_id desc)
    where agent_type is not null;
create index task_details_by_assigned_agent
    on task_details (assigned_agent, created_at desc, task_id desc)
    where assigned_agent is not null;
create index task_details_by_label on task_details using gin (labels) where labels <> '{}';
-- The planner takes a feature for a part of the plan, however few features there are: the progress
-- of a small one does not read the tasks of a large one.
alter table task_details alter column feature_id set (n_distinct = 1000);

comment on table task_details is 'Text and plan of tasks, one row for each task.';
comment on column task_details.parent_id is
    'The task it is a part of. The parent tree blocks nothing.';
comment on column task_details.complexity_score is 'Estimated complexity, 0 to 100.';
comment on column task_details.requirements is 'The requirements of the work, as an object.';
comment on column task_details.context is 'Knowledge for the worker, as an object.';
comment on column task_details.metadata is 'Other tools'' data about it, as an object.';
comment on column task_details.labels is 'Labels, in the order given.';
comment on column task_details.file_path is
    'The place of its document, as the plan''s authors name it.';
comment on column task_details.retry_delay is
    'The delay of a retry after its first failure; null: the failed claim sets it.';
comment on column task_details.retry_factor is
    'The multiplier of the delay for each further failure; null: 2. Of no effect without '
    'retry_delay.';
comment on column task_details.max_retry_delay is
    'The longest delay; null: an hour. Of no effect without retry_delay.';
comment on column task_details.version is
    'Counts edits of this row; with the version of tasks, that of the task.';
comment on column task_details.priority is 'The priority in tasks. Kept by trigger.';
comment on column task_details.agent_type is 'The agent_type in tasks. Kept by trigger.';
comment on column task_details.assigned_agent is 'The assigned_agent in tasks. Kept by trigger.';
comment on column task_details.created_at is 'The created_at in tasks. Kept by trigger.';
