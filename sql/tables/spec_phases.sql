-- The phases of hierarchical specifications, by name: implementation tasks refer to them, so a
-- phase with tasks can't be removed. The phases themselves are in the structure; a trigger writes
-- these rows.
create table spec_phases (
    spec_id uuid not null,
    name text collate "C" not null,
    number integer not null,
    hours shared.hours,
    primary key (spec_id, name),
    constraint spec_phases_spec_exists
        foreign key (spec_id) references technical_specs (id) on delete cascade
);

comment on table spec_phases is
    'The phases of hierarchical specifications, without their contents. Written by trigger.';
comment on column spec_phases.hours is 'Estimated hours; null where the structure has none.';
