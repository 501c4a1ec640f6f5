-- A modification is a change of a project: requested, decided, and applied to its files.
create table modifications (
    id uuid primary key default uuidv7(),
    project_id uuid not null,
    request shared.note_text not null,
    requested_by shared.name_text not null,
    requested_at timestamptz not null default now(),
    impact_analysis shared.object_json,
    affected_files shared.name_list not null default '{}',
    status shared.modification_status not null default 'pending',
    -- Written by triggers, as the moments are.
    base_version bigint not null default 0,
    approved_at timestamptz,
    applied_at timestamptz,
    ended_at timestamptz,
    modified_files shared.changes_json,
    test_results shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint modifications_project_exists
        foreign key (project_id) references project_contexts (id) on delete cascade,
    constraint modifications_applied_at_exactly_when_applied
        check ((status = 'applied') = (applied_at is not null)),
    constraint modifications_ended_exactly_at_an_end
        check ((status in ('applied', 'failed', 'rejected')) = (ended_at is not null)),
    constraint modifications_applied_with_files
        check (status <> 'applied' or modified_files is not null)
);

-- Serve queries/modifications.sql: list_modifications.
create index modifications_by_project on modifications (project_id, requested_at, id);
create index modifications_by_project_and_status
    on modifications (project_id, status, requested_at, id);
create index modifications_by_requester on modifications (requested_by, requested_at, id);
create index modifications_by_status on modifications (status, requested_at, id);
create index modifications_by_request on modifications (requested_at, id);

-- Serve queries/modifications.sql: find_by_impact, find_by_test_results.
create index modifications_by_impact on modifications using gin (impact_analysis);
create index modifications_by_test_results on modifications using gin (test_results);

comment on table modifications is 'Changes to projects: asked for, decided upon, applied.';
comment on column modifications.base_version is
    'The project''s version when it was asked for, or approved: it is applied to no other.';
comment on column modifications.affected_files is 'The paths it is expected to touch.';
comment on column modifications.ended_at is
    'The moment at which it was applied or rejected, or failed.';
comment on column modifications.modified_files is
    'The files it changed: new contents by path, null for a deleted one.';
