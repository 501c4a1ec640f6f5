-- An edge: the task waits for another. One row a pair. requires and blocks keep a task waiting, and
-- their graph has no cycle; suggests is only a note. Edges are added and removed, never changed.
create table task_dependencies (
    task_id uuid not null,
    depends_on_id uuid not null,
    dependency_type shared.dependency_type not null default 'requires',
    is_satisfied boolean not null default false,
    created_by shared.name_text,
    created_at shared.moment not null default now(),
    primary key (task_id, depends_on_id),
    constraint task_dependencies_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_dependencies_depends_on_exists
        foreign key (depends_on_id) references tasks (id) on delete cascade
)
with (fillfactor = 85);

-- Serves queries/dependencies.sql: dependents_of, and the trigger that unblocks dependents.
create index task_dependencies_by_blocker
    on task_dependencies (depends_on_id, dependency_type, task_id);
-- Edges are found by either end, whatever one task's many edges do to the statistics: the planner
-- never takes a look-up by one of them for a look-up of all.
alter table task_dependencies alter column task_id set (n_distinct = -0.5);
alter table task_dependencies alter column depends_on_id set (n_distinct = -0.5);

comment on table task_dependencies is 'task_id waits for depends_on_id.';
comment on column task_dependencies.dependency_type is
    'requires and blocks keep a task waiting (see the type''s comment); suggests is advice.';
comment on column task_dependencies.is_satisfied is
    'True if it no longer blocks its task; open_dependencies counts the others. Kept by triggers.';
