-- Every change of a task's status, and its creation, by whatever route. Only triggers
-- write it; rows that an importer brings from another tracker carry their source, keep
-- their own times, and have no seq.
create table task_history (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    seq integer,
    old_status shared.task_status,
    new_status shared.task_status not null,
    agent shared.name_text not null,
    note text,
    forced boolean not null default false,
    source shared.name_text,
    created_at timestamptz not null default clock_timestamp(),
    constraint task_history_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_history_seq_is_positive check (seq > 0),
    constraint task_history_numbered_unless_imported check ((seq is null) = (source is not null)),
    -- Keeps the promise: one row a change.
    constraint task_history_seq_once_per_task unique (task_id, seq)
);

-- Serves queries/history.sql: recent.
create index task_history_by_time on task_history (created_at desc, id desc);
-- Serves queries/history.sql: list_by_agent.
create index task_history_by_agent on task_history (agent, created_at desc, id desc);
-- Serves queries/history.sql: list_for_task, in order of time.
create index task_history_by_task on task_history (task_id, created_at, id);
-- Serves queries/flow.sql: reopenings, which are rare.
create index task_history_reopenings on task_history (created_at desc, id desc)
    where
        old_status in ('completed', 'failed', 'cancelled', 'archived')
        and new_status in ('pending', 'blocked', 'in_progress', 'in_review');

comment on table task_history is 'Every change of status: who, when, why. Written by trigger.';
comment on column task_history.seq is
    'Counts a task''s rows from 1 on; the highest is its present status. Null: imported.';
comment on column task_history.old_status is 'Null: the task was created.';
comment on column task_history.agent is
    'Who changed it: as the statement says, else session_user; taskdb for the cascade.';
comment on column task_history.forced is 'The move was forced past the table of moves.';
comment on column task_history.source is 'The tracker that an imported row came from.';
