-- A subtask is a line of a task's checklist. No task waits for it.
create table subtasks (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    -- Not unique: two may share a place; then the older comes first.
    position integer not null default 1,
    title shared.title not null,
    description text,
    status shared.subtask_status not null default 'pending',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint subtasks_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint subtasks_position_is_positive check (position > 0)
);

-- Serves queries/subtasks.sql: list_subtasks.
create index subtasks_in_order on subtasks (task_id, position, created_at, id);

comment on table subtasks is 'A task''s checklist.';
comment on column subtasks.position is 'Its place in the list, counted from 1.';
