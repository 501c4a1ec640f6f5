-- 0002: the types and functions of specifications.
-- Locks: none beyond new objects.
-- Check: select 'draft'::shared.spec_status;  -- expect draft
set local lock_timeout = '2s';

create type spec_status as enum (
    'draft', 'in_review', 'approved', 'in_progress', 'completed', 'archived'
);

comment on type spec_status is
    'Where a specification stands. Allowed moves are rows of spec_status_transitions.';

create type spec_type as enum ('monolithic', 'hierarchical');

comment on type spec_type is
    'What a specification is kept as. monolithic: one text. hierarchical: JSON with phases.';

create type phase_status as enum ('in_progress', 'completed');

comment on type phase_status is 'Where the current phase of a specification stands.';

create domain commit_sha as text collate "C"
    constraint commit_sha_is_hexadecimal check (value ~ '^[0-9a-f]{4,64}$');

comment on domain commit_sha is 'The name of a commit: 4 to 64 hexadecimal digits.';

-- Whether a list of paths names each file in one way only, so that two lists overlap exactly
-- if they have a path in common: no empty path, none with `.`, `..` or nothing between two
-- slashes, none over 1,000 characters.
create function names_files(paths text[])
    returns boolean
    language sql
    immutable
    strict
    parallel safe
return not exists (
    select from unnest(paths) as named (path)
    where
        named.path is null
        or length(named.path) not between 1 and 1000
        or named.path ~ '(^|/)\.{1,2}(/|$)|//|[\u0001-\u001f\u007f-\u009f]'
);

comment on function names_files(text[]) is
    'Whether each path of a list is one that no other path of the same file differs from.';

-- The names of a structure's phases, in the order of its list. (Of what is no list of
-- objects with names too: a trigger refuses that, and says which phase it is.)
create function phase_names(structure jsonb)
    returns text[]
    language sql
    immutable
    strict
    parallel safe
return array(
    select named.name #>> '{}'
    from jsonb_path_query(structure, 'lax $.phases[*].name') with ordinality as named (name, place)
    order by named.place
);

comment on function phase_names(jsonb) is 'The names of the phases of a specification.';

-- All that a hierarchical specification says, for search: every text in it, at any depth.
create function spec_text(structure jsonb)
    returns text
    language sql
    immutable
    strict
    parallel safe
return (
    select string_agg(said.value #>> '{}', e'\n' order by said.place)
    from jsonb_path_query(structure, 'strict $.**') with ordinality as said (value, place)
    where jsonb_typeof(said.value) = 'string'
);

comment on function spec_text(jsonb) is 'Every text in a structure, one after the other.';
