-- 0001: the types and functions that all workspaces share.
-- Locks: none beyond new objects.
-- Check: select 'pending'::shared.task_status;  -- expect pending
set local lock_timeout = '2s';

-- Trigram similarity, for finding titles that look alike.
create extension if not exists pg_trgm with schema shared;

-- The enumerated types of all workspaces. They live in one schema so that a
-- workspace can be moved between databases that have the same `shared`.

create type task_status as enum (
    'pending', 'blocked', 'in_progress', 'in_review',
    'completed', 'failed', 'cancelled', 'archived'
);

comment on type task_status is
    'Where a task stands. Allowed moves are rows of task_status_transitions.';

create type plan_status as enum ('draft', 'active', 'completed', 'archived');

comment on type plan_status is 'Where an epic or a feature stands.';

create type level as enum ('high', 'medium', 'low');

comment on type level is 'A coarse grade: the priority and business value of an epic.';

create type dependency_type as enum ('requires', 'blocks', 'suggests');

comment on type dependency_type is
    'What satisfies an edge. requires: its blocker is completed, or archived after completion. '
    'blocks: completed, cancelled or archived. suggests: always.';

create type claim_outcome as enum (
    'completed', 'submitted', 'failed', 'released', 'lapsed', 'revoked'
);

comment on type claim_outcome is
    'How an attempt at a task ended. lapsed: another agent took over after the lease. '
    'revoked: the status was changed by someone else.';

create type subtask_status as enum ('pending', 'in_progress', 'completed');

comment on type subtask_status is 'A line of a checklist.';

-- The rules of single columns, as domains. A CHECK on a table is read from the catalogue
-- and prepared anew by every UPDATE statement, of whatever column; a domain's is prepared
-- once a session, and looked at only when the column is written. With twenty such rules
-- on `tasks` that was half the cost of a claim: docs/decisions/0006-domains.md.

create domain key as text collate "C"
    constraint key_has_1_to_100_characters check (length(value) between 1 and 100)
    constraint key_has_no_control_characters check (value !~ '[\u0001-\u001f\u007f-\u009f]');

comment on domain key is
    'A name among people and tools: up to 100 characters, compared byte for byte.';

create domain title as text
    constraint title_has_1_to_500_characters check (length(value) between 1 and 500);

comment on domain title is 'One line of text, up to 500 characters.';

create domain name_text as text collate "C"
    constraint name_is_not_empty check (value <> '');

comment on domain name_text is 'The name of an agent, a type, a file: not empty.';

create domain note_text as text
    constraint note_is_not_empty check (value <> '');

comment on domain note_text is 'Text that says something, or is null.';

create domain object_json as jsonb
    constraint object_json_is_object check (jsonb_typeof(value) = 'object');

comment on domain object_json is 'A JSON object.';

create domain priority as smallint
    constraint priority_is_1_to_10_inclusive check (value between 1 and 10);

comment on domain priority is '1 (most urgent) to 10.';

create domain score as smallint
    constraint score_is_0_to_100_inclusive check (value between 0 and 100);

comment on domain score is '0 to 100.';

create domain hours as numeric(8, 2)
    constraint hours_are_not_negative check (value >= 0);

comment on domain hours is 'A duration in hours.';

create domain counter as integer
    constraint counter_is_not_negative check (value >= 0);

comment on domain counter is 'How many: a negative one would be a bug in a trigger.';

-- Time-ordered identifiers (RFC 9562, version 7): 48 bits of milliseconds, 12 bits
-- of their fraction, 62 random bits. New rows land at the right end of an index.
--
-- PostgreSQL 18 has a uuidv7() of its own, which an unqualified call finds first.
-- This one is made on every server all the same, so that a dump of 15 loads into 18.
create function uuidv7()
    returns uuid
    language sql
    volatile
    parallel safe
begin atomic
    select encode(
        overlay(
            uuid_send(gen_random_uuid()),
            int8send(((moment.us / 1000) << 16) | 28672 | (((moment.us % 1000) * 4096) / 1000)),
            1,
            8
        ),
        'hex'
    )::uuid
    from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint) as moment (us);
end;

comment on function shared.uuidv7() is
    'A time-ordered UUID (RFC 9562, version 7) for servers that have none of their own.';

-- The one definition of when a dependency no longer holds its task back.
create function is_satisfied(
    dependency_type dependency_type,
    blocker_status task_status,
    blocker_completed_at timestamptz
)
    returns boolean
    language sql
    immutable
    parallel safe
return case dependency_type
    when 'requires' then
        blocker_status = 'completed'
        or (blocker_status = 'archived' and blocker_completed_at is not null)
    when 'blocks' then blocker_status in ('completed', 'cancelled', 'archived')
    else true
end;

comment on function is_satisfied(dependency_type, task_status, timestamptz) is
    'Whether a dependency of this type lets its task go, given the status of its blocker.';

-- A text's bytes in UTF-8. convert_to is only stable, since someone might redefine a
-- conversion; for the built-in one it is safe to promise more, as generated columns need.
create function utf8_bytes(content text)
    returns bytea
    language sql
    immutable
    strict
    parallel safe
return convert_to(content, 'UTF8');

comment on function utf8_bytes(text) is 'The bytes of a text in UTF-8.';
