-- A feature is a part of an epic; tasks belong to features.
create table features (
    id uuid primary key default uuidv7(),
    epic_id uuid not null,
    key text collate "C" not null,
    title shared.title not null,
    description text,
    status shared.plan_status not null default 'draft',
    -- A cache. The truth is the view feature_progress; update_progress refreshes it.
    progress_pct numeric(5, 2) not null default 0,
    -- The counts it was computed from, by which taskdb doctor tells a wrong figure from an old one.
    progress_completed_count integer not null default 0,
    progress_counted_count integer not null default 0,
    execution_order integer,
    file_path shared.name_text,
    metadata shared.object_json,
    created_by shared.name_text,
    created_at shared.moment not null default now(),
    updated_at timestamptz not null default now(),
    constraint features_epic_exists
        foreign key (epic_id) references epics (id) on delete cascade,
    constraint features_key_is_unique unique (key),
    constraint features_key_is_epic_and_f_and_digits
        check (key ~ '^E[0-9]{2,6}-F[0-9]{2,6}$'),
    constraint features_progress_pct_is_0_to_100_per_cent check (progress_pct between 0 and 100)
);

-- Serves queries/features.sql: list_features, and the deletion of an epic.
create index features_by_epic on features (epic_id, execution_order, key);
-- Serves queries/features.sql: list_features.
create index features_by_status on features (status, key);

comment on table features is 'The parts of an epic, to which tasks belong.';
comment on column features.key is 'Its epic''s key and a number of its own: E04-F01.';
comment on column features.progress_pct is
    'Completed tasks in per cent when update_progress last ran; feature_progress is exact.';
comment on column features.progress_completed_count is
    'The completed tasks that progress_pct was computed from.';
comment on column features.progress_counted_count is
    'The tasks, without cancelled ones, that progress_pct was computed from.';
comment on column features.execution_order is 'Its place among its epic''s features; null: none.';
comment on column features.file_path is
    'The place of its document, as the plan''s authors name it.';
comment on column features.metadata is 'Other tools'' data about it, as an object.';
