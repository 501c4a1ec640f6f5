-- The runner's log beside yoyo's own tables, in each schema that it migrates. It is created before
-- the first migration runs, so no migration creates it; the drift check ignores tables of this name
-- and yoyo's.
create table _taskdb_migration (
    migration_id text primary key,
    track text not null,
    -- SHA-256 of the file's tokens and directives: comments and white space do not count.
    checksum text not null,
    -- The oldest package that works from here on; null: any.
    breaking text,
    package text not null,
    shared_revision text,
    applied_at timestamptz not null default now()
);

comment on table _taskdb_migration is
    'The migrations of this schema, and their files. Written by `taskdb migrate`.';
comment on column _taskdb_migration.migration_id is 'The file''s name without .sql.';
comment on column _taskdb_migration.track is 'shared or workspace.';
comment on column _taskdb_migration.checksum is
    'SHA-256 of the statements as they were applied. A file that was edited later is refused.';
comment on column _taskdb_migration.breaking is
    'The oldest taskdb that works with this migration; null: each one does.';
comment on column _taskdb_migration.package is 'The taskdb that applied it.';
comment on column _taskdb_migration.shared_revision is
    'In a workspace: the newest migration of the schema shared when this one was applied. '
    'While it stands, shared cannot go back behind that.';

comment on table _yoyo_migration is 'The migrations that this schema has. yoyo''s own.';
comment on table _yoyo_log is 'The log of this schema: act, time and user. yoyo''s own.';
comment on table _yoyo_version is 'The version of these tables. yoyo''s own.';
