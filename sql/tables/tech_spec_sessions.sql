-- A tech-spec session turns the documents of a design job into technical requirements: it
-- researches, talks with its user, and generates documents. It goes with its design job.
create table tech_spec_sessions (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    design_job_id uuid not null,
    user_id uuid,
    status shared.session_status not null default 'pending',
    current_stage shared.name_text,
    progress_percentage shared.percentage not null default 0,
    session_data shared.object_json,
    websocket_url shared.name_text,
    failure_reason shared.note_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    completed_at timestamptz,
    newest_version shared.counter not null default 0,
    constraint tech_spec_sessions_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade,
    constraint tech_spec_sessions_completed_at_exactly_when_completed
        check ((status = 'completed') = (completed_at is not null)),
    constraint tech_spec_sessions_completed_is_all
        check (status <> 'completed' or progress_percentage = 100),
    constraint tech_spec_sessions_reason_only_when_failed
        check (failure_reason is null or status = 'failed')
);

-- Serve queries/sessions.sql: list_sessions, newest first; by status also list_with_jobs, and by
-- creation summary.
create index tech_spec_sessions_by_creation on tech_spec_sessions (created_at desc, id desc);
create index tech_spec_sessions_by_status
    on tech_spec_sessions (status, created_at desc, id desc);
create index tech_spec_sessions_by_project
    on tech_spec_sessions (project_id, created_at desc, id desc);
create index tech_spec_sessions_by_design_job
    on tech_spec_sessions (design_job_id, created_at desc, id desc);
create index tech_spec_sessions_by_user
    on tech_spec_sessions (user_id, created_at desc, id desc);

comment on table tech_spec_sessions is
    'Work on technical requirements, from the documents of design jobs.';
comment on column tech_spec_sessions.project_id is 'The project of its design job.';
comment on column tech_spec_sessions.user_id is
    'The user who asked for it, as the service knows people.';
comment on column tech_spec_sessions.current_stage is
    'The current step of its agent, in the agent''s words.';
comment on column tech_spec_sessions.session_data is
    'The agent''s state between its steps, as an object.';
comment on column tech_spec_sessions.websocket_url is
    'The address at which its progress can be followed.';
comment on column tech_spec_sessions.failure_reason is
    'The reason of its failure. Cleared by trigger.';
comment on column tech_spec_sessions.newest_version is
    'The highest version that a document of it was given, 0 before. Kept by trigger.';
