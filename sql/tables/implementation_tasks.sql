-- An implementation task's second part, one to one with its task: the part of a specification that
-- it implements, the files it may change, and their result. Deleting one deletes the other.
create table implementation_tasks (
    task_id uuid primary key,
    spec_id uuid not null,
    -- Its specification's type, which a trigger fills in and a foreign key enforces.
    spec_type shared.spec_type not null,
    scope text collate "C" not null,
    -- The scope of a task of a hierarchical specification is one of its phases.
    phase text collate "C" generated always as (
        case spec_type when 'hierarchical' then scope end
    ) stored,
    scope_description text,
    assigned_files text[] not null default '{}',
    branch_name text collate "C" not null,
    worktree_path shared.name_text,
    commit_sha shared.commit_sha,
    merged_at shared.moment,
    merge_commit_sha shared.commit_sha,
    created_by shared.name_text not null default 'architect',
    created_at timestamptz not null default now(),
    constraint implementation_tasks_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint implementation_tasks_spec_exists
        foreign key (spec_id, spec_type) references technical_specs (id, spec_type)
        on delete cascade,
    constraint implementation_tasks_scope_is_a_phase
        foreign key (spec_id, phase) references spec_phases (spec_id, name),
    constraint implementation_tasks_branch_name_is_unique unique (branch_name),
    constraint implementation_tasks_scope_has_1_to_200_characters
        check (length(scope) between 1 and 200),
    constraint implementation_tasks_branch_has_1_to_250_characters
        check (length(branch_name) between 1 and 250),
    constraint implementation_tasks_files_are_named_in_one_way
        check (shared.names_files(assigned_files)),
    constraint implementation_tasks_merge_commit_only_if_merged
        check (merge_commit_sha is null or merged_at is not null)
);

-- Serves queries/implementation_tasks.sql: list_tasks, and the deletion of a specification.
create index implementation_tasks_by_spec on implementation_tasks (spec_id, spec_type);
-- Keeps the foreign key: a phase with tasks stays.
create index implementation_tasks_by_phase on implementation_tasks (spec_id, phase);

comment on table implementation_tasks is 'Parts of specifications, as tasks.';
comment on column implementation_tasks.scope is
    'The part that it implements: of a hierarchical specification the name of one of its phases.';
comment on column implementation_tasks.assigned_files is
    'The files it changes, from the root of the repository. While it is in progress they are '
    'its own: see file_locks.';
comment on column implementation_tasks.worktree_path is
    'The folder in which its branch is checked out.';
comment on column implementation_tasks.commit_sha is 'The commit that did the work.';
comment on column implementation_tasks.merged_at is 'The moment at which its branch was merged.';
