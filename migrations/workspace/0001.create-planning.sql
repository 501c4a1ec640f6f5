-- 0001: epics and features.
-- Locks: none beyond new objects.
-- Check: select to_regclass('features') is not null;  -- expect t
set local lock_timeout = '2s';

-- Moves updated_at forward on every update, even when the clock steps back.
create function touch_updated_at()
    returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
    return new;
end;
$$;

comment on function touch_updated_at() is 'Keeps updated_at: it grows with every update.';

-- An epic is the largest unit of a plan. Its features, and through them its tasks,
-- go with it when it is deleted.
create table epics (
    id uuid primary key default uuidv7(),
    key text collate "C" not null,
    title shared.title not null,
    description text,
    status shared.plan_status not null default 'draft',
    priority shared.level not null default 'medium',
    business_value shared.level,
    file_path shared.name_text,
    metadata shared.object_json,
    created_by shared.name_text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint epics_key_is_unique unique (key),
    constraint epics_key_is_e_and_digits check (key ~ '^E[0-9]{2,6}$')
);

-- Serves queries/epics.sql: list_epics.
create index epics_by_status on epics (status, key);

comment on table epics is 'The largest units of a plan.';
comment on column epics.key is 'Its name among people: E04.';
comment on column epics.file_path is 'Where its document lies, as the plan''s authors name it.';
comment on column epics.metadata is 'What other tools know of it, as an object.';

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
    -- What it was computed from, by which taskdb doctor tells a wrong figure from an old one.
    progress_completed_count integer not null default 0,
    progress_counted_count integer not null default 0,
    execution_order integer,
    file_path shared.name_text,
    metadata shared.object_json,
    created_by shared.name_text,
    created_at timestamptz not null default now(),
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
comment on column features.file_path is 'Where its document lies, as the plan''s authors name it.';
comment on column features.metadata is 'What other tools know of it, as an object.';

create trigger epics_50_touch_updated_at
    before update on epics
    for each row
    execute function touch_updated_at();

-- A feature's key begins with its epic's.
create function refuse_foreign_feature_key()
    returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    epic_key text;
begin
    select epics.key into epic_key from epics where epics.id = new.epic_id;
    if split_part(new.key, '-', 1) <> epic_key then
        raise exception using
            errcode = 'TD005',
            message = format('feature %s belongs to epic %s', new.key, epic_key),
            detail = 'TD005 key: must be the key of its epic, a hyphen, F and a number',
            hint = format('Name it %s-F01 or so.', epic_key);
    end if;
    return new;
end;
$$;

comment on function refuse_foreign_feature_key() is
    'Refuses a feature whose key does not begin with its epic''s.';

create trigger features_10_refuse_foreign_key
    before insert or update of key, epic_id on features
    for each row
    execute function refuse_foreign_feature_key();

create trigger features_50_touch_updated_at
    before update on features
    for each row
    execute function touch_updated_at();
