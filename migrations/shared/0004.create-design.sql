-- 0004: what the Design Agent makes, and the types of tech-spec sessions.
-- Locks: none beyond new objects.
-- Check: select count(*) from shared.design_jobs;  -- expect 0
set local lock_timeout = '2s';

create type design_job_status as enum ('pending', 'in_progress', 'completed', 'failed');

comment on type design_job_status is 'Where a design job stands; completed is its end.';

create type design_output_type as enum (
    'prd', 'design_system', 'ux_flow', 'screen_specs', 'ai_studio_code_path'
);

comment on type design_output_type is
    'What a design job makes. All but ai_studio_code_path are required of it.';

create type session_status as enum ('pending', 'in_progress', 'paused', 'completed', 'failed');

comment on type session_status is
    'Where a tech-spec session stands. Allowed moves are rows of session_status_transitions.';

create type conversation_role as enum ('user', 'agent', 'system');

comment on type conversation_role is 'Who says something in a conversation.';

-- (lax: a path that an option does not have is no error, and the option not in the list.)
create domain option_list as jsonb
    constraint option_list_is_array_of_named_objects check (
        jsonb_typeof(value) = 'array'
        and jsonb_array_length(
            jsonb_path_query_array(
                value, '$[*] ? (@.type() == "object" && @.name.type() == "string" && @.name != "")'
            )
        ) = jsonb_array_length(value)
    );

comment on domain option_list is 'A JSON array of objects, each with a name that is not empty.';

-- A design job is what the Design Agent was asked for. Tech-spec sessions of every workspace
-- begin with what it made, so it is shared. As on every shared table there is no trigger: the
-- queries set updated_at, and look at the status they move from.
create table design_jobs (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    status design_job_status not null default 'pending',
    error_message note_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    completed_at timestamptz,
    constraint design_jobs_completed_at_exactly_when_completed
        check ((status = 'completed') = (completed_at is not null)),
    constraint design_jobs_error_only_when_failed
        check (error_message is null or status = 'failed')
);

-- Serve queries/design.sql: list_jobs, newest first.
create index design_jobs_by_creation on design_jobs (created_at desc, id desc);
create index design_jobs_by_status on design_jobs (status, created_at desc, id desc);
create index design_jobs_by_project on design_jobs (project_id, created_at desc, id desc);

comment on table design_jobs is 'What the Design Agent was asked for.';
comment on column design_jobs.project_id is
    'The project that it is for, by the id that all tools know it by: workspaces have the rows.';
comment on column design_jobs.error_message is 'Why it failed.';

-- What a design job made: one document a type, with all its text.
create table design_outputs (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    output_type design_output_type not null,
    content note_text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint design_outputs_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade,
    -- Serves queries/design.sql: find_outputs, get_output.
    constraint design_outputs_once_per_type unique (design_job_id, output_type)
);

comment on table design_outputs is 'What design jobs made.';
comment on column design_outputs.content is
    'The document itself; of ai_studio_code_path, where the code lies.';

-- What was decided while a design job ran, and why. Rows are added, never changed.
create table design_decisions (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    decision_type name_text not null,
    value note_text not null,
    reasoning note_text,
    created_at timestamptz not null default clock_timestamp(),
    constraint design_decisions_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade
);

-- Serves queries/design.sql: load_decisions, in the order in which they were made.
create index design_decisions_in_order on design_decisions (design_job_id, created_at, id);

comment on table design_decisions is 'What was decided in design jobs, and why.';

-- How far a design job is: a row each time that it says so. Rows are added, never changed.
create table design_progress (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    stage name_text not null,
    progress_percentage percentage not null,
    message note_text,
    created_at timestamptz not null default clock_timestamp(),
    constraint design_progress_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade
);

-- Serves queries/design.sql: list_progress, newest first.
create index design_progress_by_creation
    on design_progress (design_job_id, created_at desc, id desc);

comment on table design_progress is 'How far design jobs are, each time that they say so.';
