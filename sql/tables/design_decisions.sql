-- A decision of a design job, with its reason. Rows are added, never changed.
create table design_decisions (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    decision_type shared.name_text not null,
    value shared.note_text not null,
    reasoning shared.note_text,
    created_at timestamptz not null default clock_timestamp(),
    constraint design_decisions_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade
);

-- Serves queries/design.sql: load_decisions, in the order in which they were made.
create index design_decisions_in_order on design_decisions (design_job_id, created_at, id);

comment on table design_decisions is 'Decisions of design jobs, with their reasons.';
