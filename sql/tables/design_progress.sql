-- A progress report of a design job. Rows are added, never changed.
create table design_progress (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    stage shared.name_text not null,
    progress_percentage shared.percentage not null,
    message shared.note_text,
    created_at timestamptz not null default clock_timestamp(),
    constraint design_progress_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade
);

-- Serves queries/design.sql: list_progress, newest first.
create index design_progress_by_creation
    on design_progress (design_job_id, created_at desc, id desc);

comment on table design_progress is 'Progress reports of design jobs.';
