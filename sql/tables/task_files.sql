-- A file that belongs to a task, with its content: a result, or an input.
create table task_files (
    id uuid primary key default uuidv7(),
    task_id uuid not null,
    path text collate "C" not null,
    content text not null,
    content_type shared.name_text not null default 'text/plain',
    size_bytes integer not null generated always as (octet_length(utf8_bytes(content))) stored,
    sha256 bytea not null generated always as (sha256(utf8_bytes(content))) stored,
    metadata shared.object_json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint task_files_task_exists
        foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_files_path_once_per_task unique (task_id, path),
    constraint task_files_path_has_1_to_1000_characters check (length(path) between 1 and 1000)
);

comment on table task_files is 'Files of a task, content included.';
comment on column task_files.size_bytes is
    'The content''s length in bytes of UTF-8. Computed by the server.';
comment on column task_files.sha256 is 'The content''s SHA-256. Computed by the server.';
