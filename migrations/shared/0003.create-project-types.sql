-- 0003: the types of projects, modifications and templates.
-- Locks: none beyond new objects.
-- Check: select 'active'::shared.project_status;  -- expect active
set local lock_timeout = '2s';

create type project_status as enum ('active', 'archived', 'deleted');

comment on type project_status is
    'Where a project stands. deleted: put away, and still there; projects.delete really deletes.';

create type modification_status as enum ('pending', 'approved', 'applied', 'failed', 'rejected');

comment on type modification_status is
    'Where a modification stands. Allowed moves are rows of modification_status_transitions.';

create type template_category as enum ('api', 'web', 'mobile', 'data', 'microservice');

comment on type template_category is 'What a template makes.';

create type complexity as enum ('simple', 'medium', 'complex');

comment on type complexity is 'How much a template asks of who uses it.';

create domain percentage as numeric(5, 2)
    constraint percentage_is_0_to_100_inclusive check (value between 0 and 100);

comment on domain percentage is '0 to 100, with two decimals.';

-- (strict: in lax mode a list passes for what is in it.)
create domain texts_json as jsonb
    constraint texts_json_is_object_of_texts check (
        jsonb_typeof(value) = 'object'
        and not jsonb_path_exists(value, 'strict $.* ? (@.type() != "string")')
    );

comment on domain texts_json is 'A JSON object of texts: files by path, variables by name.';

create domain changes_json as jsonb
    constraint changes_json_is_object_of_texts_or_nulls check (
        jsonb_typeof(value) = 'object'
        and not jsonb_path_exists(
            value, 'strict $.* ? (@.type() != "string" && @.type() != "null")'
        )
    );

comment on domain changes_json is 'Files by path, each with its new content, or null: it goes.';

create domain name_list as text[] collate "C"
    constraint name_list_has_no_empty_names check (
        array_position(value, null) is null and array_position(value, '') is null
    );

comment on domain name_list is 'Names: none is empty or null.';
