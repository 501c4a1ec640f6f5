-- A document of a design job, one of each type, with all its text.
create table design_outputs (
    id uuid primary key default uuidv7(),
    design_job_id uuid not null,
    output_type shared.design_output_type not null,
    content shared.note_text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint design_outputs_design_job_exists
        foreign key (design_job_id) references design_jobs (id) on delete cascade,
    -- Serves queries/design.sql: find_outputs, get_output.
    constraint design_outputs_once_per_type unique (design_job_id, output_type)
);

comment on table design_outputs is 'Documents of design jobs.';
comment on column design_outputs.content is
    'The document itself; of ai_studio_code_path, where the code lies.';
