-- An edge between specifications: this one builds on the other. The graph has no cycle.
create table spec_dependencies (
    spec_id uuid not null,
    depends_on_id uuid not null,
    created_by shared.name_text,
    created_at timestamptz not null default now(),
    primary key (spec_id, depends_on_id),
    constraint spec_dependencies_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade,
    constraint spec_dependencies_depends_on_exists
        foreign key (depends_on_id) references technical_specs (id) on delete cascade
);

-- Serves queries/specs.sql: list_dependents, and the deletion of a specification.
create index spec_dependencies_by_blocker on spec_dependencies (depends_on_id);

comment on table spec_dependencies is 'spec_id builds on depends_on_id.';
