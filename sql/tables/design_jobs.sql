-- A design job is a request to the Design Agent; tech-spec sessions begin with its documents. Each
-- workspace has its own, so that one team's roles neither see nor change another's. The query that
-- changes a job's status checks the old one.
create table design_jobs (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    status shared.design_job_status not null default 'pending',
    error_message shared.note_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    completed_at shared.moment,
    constraint design_jobs_completed_at_exactly_when_completed
        check ((status = 'completed') = (completed_at is not null)),
    constraint design_jobs_error_only_when_failed
        check (error_message is null or status = 'failed')
);

-- Serve queries/design.sql: list_jobs, newest first.
create index design_jobs_by_creation on design_jobs (created_at desc, id desc);
create index design_jobs_by_status on design_jobs (status, created_at desc, id desc);
create index design_jobs_by_project on design_jobs (project_id, created_at desc, id desc);

comment on table design_jobs is 'Requests to the Design Agent.';
comment on column design_jobs.project_id is
    'The project that it is for, by the id that all tools know it by; it need not be here.';
comment on column design_jobs.error_message is 'The reason of its failure.';
