-- A tracker's record of a task at its last import: the next import of that file compares with it,
-- to tell changes there from changes here.
create table imported_tasks (
    task_id uuid primary key,
    source_kind shared.name_text not null,
    source_path shared.name_text not null,
    content shared.object_json not null,
    imported_at shared.moment not null default now(),
    constraint imported_tasks_task_exists
        foreign key (task_id) references tasks (id) on delete cascade
);

-- Serves queries/exchange.sql: imported_before.
create index imported_tasks_by_source on imported_tasks (source_kind, source_path);

comment on table imported_tasks is
    'The record of a task in a tracker''s file, as of its last import.';
comment on column imported_tasks.source_kind is 'The kind of the plan: beads, taskmaster, ...';
comment on column imported_tasks.source_path is 'The file or folder, as an absolute path.';
comment on column imported_tasks.content is
    'Its fields in taskdb''s words, its dependencies, and a digest of each field of metadata.';
