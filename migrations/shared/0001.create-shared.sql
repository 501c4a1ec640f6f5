-- 0001: what all workspaces share.
-- Generated from sql/shared.sql by `make squash`: edit there.
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
    'Status of a task. Allowed transitions are rows of task_status_transitions.';

create type plan_status as enum ('draft', 'active', 'completed', 'archived');

comment on type plan_status is 'Status of an epic or a feature.';

create type level as enum ('high', 'medium', 'low');

comment on type level is 'A coarse grade: the priority and business value of an epic.';

create type dependency_type as enum (
    'requires', 'blocks', 'suggests', 'cancelled_with', 'compensates'
);

comment on type dependency_type is
    'The rule that satisfies an edge. requires: its blocker is completed, or archived after '
    'completion. blocks: completed, cancelled or archived. suggests: always. cancelled_with: as '
    'requires, and when its blocker fails or is abandoned, the task is cancelled with it. '
    'compensates: its blocker has failed; when that can no longer happen, the task is cancelled.';

create type claim_outcome as enum (
    'completed', 'submitted', 'failed', 'released', 'lapsed', 'revoked'
);

comment on type claim_outcome is
    'The end of an attempt at a task. lapsed: another agent took over after the lease. revoked: '
    'the status was changed by someone else.';

create type subtask_status as enum ('pending', 'in_progress', 'completed');

comment on type subtask_status is 'A line of a checklist.';

create type workflow_status as enum ('draft', 'active', 'paused', 'completed', 'failed');

comment on type workflow_status is
    'Status of a workflow. Allowed transitions are rows of workflow_status_transitions.';

create type trigger_type as enum ('manual', 'webhook', 'schedule', 'event', 'api');

comment on type trigger_type is 'The event that starts a workflow.';

create type error_policy as enum ('stop', 'continue', 'retry');

comment on type error_policy is
    'The effect of a failed step. stop: the execution fails. continue: steps that need it go on. '
    'retry: it is tried again, and after its last attempt the execution fails.';

create type execution_status as enum ('running', 'completed', 'failed', 'cancelled');

comment on type execution_status is 'Status of an execution; all but running are its end.';

create type step_status as enum (
    'pending', 'in_progress', 'retrying', 'completed', 'failed', 'skipped', 'cancelled'
);

comment on type step_status is
    'Status of a step of an execution. skipped: its condition did not hold, or a step that it '
    'needs was skipped. cancelled: the execution ended before it did.';

create type pull_request_state as enum ('draft', 'open', 'merged', 'closed');

comment on type pull_request_state is 'State of a pull request.';

create type health as enum ('unknown', 'healthy', 'unhealthy');

comment on type health is 'Result of the checks of an external dependency; unknown blocks nothing.';

create type project_status as enum ('active', 'archived', 'deleted');

comment on type project_status is
    'Status of a project. deleted: hidden, and still there; projects.delete really deletes.';

create type modification_status as enum ('pending', 'approved', 'applied', 'failed', 'rejected');

comment on type modification_status is
    'Status of a modification. Allowed transitions are rows of modification_status_transitions.';

create type template_category as enum ('api', 'web', 'mobile', 'data', 'microservice');

comment on type template_category is 'The kind of project that a template makes.';

create type complexity as enum ('simple', 'medium', 'complex');

comment on type complexity is 'The experience that a template asks of its users.';

create type spec_status as enum (
    'draft', 'in_review', 'approved', 'in_progress', 'completed', 'archived'
);

comment on type spec_status is
    'Status of a specification. Allowed transitions are rows of spec_status_transitions.';

create type spec_type as enum ('monolithic', 'hierarchical');

comment on type spec_type is
    'The form of a specification. monolithic: one text. hierarchical: JSON with phases.';

create type phase_status as enum ('in_progress', 'completed');

comment on type phase_status is 'Status of the current phase of a specification.';

create type design_job_status as enum ('pending', 'in_progress', 'completed', 'failed');

comment on type design_job_status is 'Status of a design job; completed is its end.';

create type design_output_type as enum (
    'prd', 'design_system', 'ux_flow', 'screen_specs', 'ai_studio_code_path'
);

comment on type design_output_type is
    'A document of a design job. All but ai_studio_code_path are required of it.';

create type session_status as enum ('pending', 'in_progress', 'paused', 'completed', 'failed');

comment on type session_status is
    'Status of a tech-spec session. Allowed transitions are rows of session_status_transitions.';

create type conversation_role as enum ('user', 'agent', 'system');

comment on type conversation_role is 'The author''s role in a conversation.';

-- A task in the hands of its agent: the row of a claim. As a type it is read from the catalogue
-- once; the columns of a `returns table` are put together again by every call.
create type claimed_task as (
    task_id uuid,
    token bigint,
    claimed_by text,
    claimed_at timestamptz,
    lease_expires_at timestamptz,
    key text,
    title text,
    description text,
    priority smallint,
    effective_priority smallint,
    only_agents_of_type text,
    feature_id uuid,
    parent_id uuid,
    estimated_hours numeric,
    requirements jsonb,
    context jsonb,
    metadata jsonb,
    file_path text,
    failed_attempts int,
    place int,
    created_at timestamptz
);

comment on type claimed_task is 'A task, as a claim hands it out.';

-- The rules of single columns, as domains. A CHECK on a table is read from the catalogue and
-- prepared again by every UPDATE statement, of whatever column; a domain's is prepared once a
-- session, and evaluated only when the column is written. With twenty such rules on `tasks` that
-- was half the cost of a claim: docs/decisions/0006-domains.md.

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

comment on domain note_text is 'Text that is not empty, or null.';

-- Readers of JSON hold 1,024 levels and the numbers of a double: one document with more, and every
-- list that has it fails. A text of 308 bytes has neither.
create domain object_json as jsonb
    constraint object_json_is_object check (jsonb_typeof(value) = 'object')
    constraint object_json_can_be_read check (
        octet_length(value::text) < 309
        or (
            not jsonb_path_exists(value, 'strict $.**{1000}')
            and (
                value::text !~ '([0-9]{103}){3}'
                or not jsonb_path_exists(
                    value,
                    'strict $.** ? (@.type() == "number" && @.abs() >= 1.797693134862315808e308)'
                )
            )
        )
    );

comment on domain object_json is 'A JSON object.';

create domain priority as smallint
    constraint priority_is_1_to_10_inclusive check (value between 1 and 10);

comment on domain priority is '1 (most urgent) to 10.';

create domain score as smallint
    constraint score_is_0_to_100_inclusive check (value between 0 and 100);

comment on domain score is '0 to 100.';

create domain hours as numeric(8, 2)
    constraint hours_are_not_negative check (value >= 0 and value < 'NaN');

comment on domain hours is 'A duration in hours.';

create domain counter as integer
    constraint counter_is_not_negative check (value >= 0);

comment on domain counter is 'A number of things: a negative one would be a bug in a trigger.';

create domain duration as interval
    constraint duration_is_not_negative check (value >= interval '0')
    constraint duration_is_at_most_10000_years check (value <= interval '10000 years');

comment on domain duration is 'A length of time.';

create domain moment as timestamptz
    constraint moment_is_of_years_1_to_9999_inclusive check (
        value >= '0001-01-01 00:00:00+00' and value < '10000-01-01 00:00:00+00'
    );

comment on domain moment is
    'A moment that every program can hold: not infinite, of a year from 1 to 9999.';

create domain factor as numeric(5, 2)
    constraint factor_is_1_to_100_inclusive check (value between 1 and 100);

comment on domain factor is 'A multiplier: 1 to 100.';

create domain percentage as numeric(5, 2)
    constraint percentage_is_0_to_100_inclusive check (value between 0 and 100);

comment on domain percentage is '0 to 100, with two decimals.';

-- strict: in lax mode a list passes if its elements do.
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

comment on domain changes_json is
    'Files by path, each with its new content; null: the file is deleted.';

create domain name_list as text[] collate "C"
    constraint name_list_has_no_empty_names check (
        case
            when coalesce(array_ndims(value), 1) = 1
                then array_position(value, null) is null and array_position(value, '') is null
            else false
        end
    );

comment on domain name_list is 'One list of names: none is empty or null.';

create domain commit_sha as text collate "C"
    constraint commit_sha_is_hexadecimal check (value ~ '^[0-9a-f]{4,64}$');

comment on domain commit_sha is 'The name of a commit: 4 to 64 hexadecimal digits.';

-- lax: a path that an option does not have is no error, and the option not in the list.
create domain option_list as jsonb
    constraint option_list_is_array_of_named_objects check (
        jsonb_typeof(value) = 'array'
        and jsonb_array_length(
            jsonb_path_query_array(
                value, '$[*] ? (@.type() == "object" && @.name.type() == "string" && @.name != "")'
            )
        ) = jsonb_array_length(value)
    )
    -- As of an object.
    constraint option_list_can_be_read check (
        octet_length(value::text) < 309
        or (
            not jsonb_path_exists(value, 'strict $.**{1000}')
            and (
                value::text !~ '([0-9]{103}){3}'
                or not jsonb_path_exists(
                    value,
                    'strict $.** ? (@.type() == "number" && @.abs() >= 1.797693134862315808e308)'
                )
            )
        )
    );

comment on domain option_list is 'A JSON array of objects, each with a name that is not empty.';

-- The author of a condition decides what each next_steps costs. So its sequences do not multiply:
-- at most two repetitions, one path per comparison, since a comparison of two paths is of each
-- value with each, and no path from the root inside a filter. Strings, and names of fields, are
-- left out before anything is looked for. Python refuses the same before it sends.
create domain condition as jsonpath
    constraint condition_has_at_most_4000_characters check (length(value::text) <= 4000)
    constraint condition_has_at_most_2_repetitions check (
        regexp_count(
            regexp_replace(value::text, '"(\\.|[^"\\])*"', '', 'g'), '\.\*|\[\*|\mto\M'
        ) <= 2
        and regexp_count(regexp_replace(value::text, '"(\\.|[^"\\])*"', '', 'g'), '\.\*\*') <= 1
    )
    constraint condition_has_at_most_1_path_per_comparison check (
        regexp_replace(value::text, '"(\\.|[^"\\])*"', '', 'g') !~ '[$@][^?&|]*[$@]'
    )
    constraint condition_has_at_most_1_filter_and_no_path_after_it check (
        regexp_replace(value::text, '"(\\.|[^"\\])*"', '', 'g') !~ '\?.*[?$]'
    )
    constraint condition_has_no_back_references check (
        value::text !~ 'like_regex "(\\.|[^"\\])*\\\\[1-9]'
    );

comment on domain condition is
    'A jsonpath predicate, of a size and a form that are evaluated in time linear to the document.';

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
    when 'cancelled_with' then
        blocker_status = 'completed'
        or (blocker_status = 'archived' and blocker_completed_at is not null)
    when 'compensates' then blocker_status = 'failed'
    else true
end;

comment on function is_satisfied(dependency_type, task_status, timestamptz) is
    'True if a dependency of this type is satisfied by the status of its blocker.';

-- The one definition of when a dependency will never be satisfied by itself: its blocker has ended,
-- and not as the dependency asks. Only a person can change that.
create function is_dead(
    dependency_type dependency_type,
    blocker_status task_status,
    blocker_completed_at timestamptz
)
    returns boolean
    language sql
    immutable
    parallel safe
return case dependency_type
    when 'blocks' then blocker_status = 'failed'
    when 'suggests' then false
    when 'compensates' then blocker_status in ('completed', 'cancelled', 'archived')
    else
        blocker_status in ('failed', 'cancelled')
        or (blocker_status = 'archived' and blocker_completed_at is null)
end;

comment on function is_dead(dependency_type, task_status, timestamptz) is
    'True if a dependency of this type is never satisfied by itself, given its blocker.';

-- The one definition of when a task still passes its priority on to what it waits for. Only
-- abandoning it ends that: claims, completions and failures change nothing.
create function is_active(status task_status, completed_at timestamptz)
    returns boolean
    language sql
    immutable
    parallel safe
return case status
    when 'cancelled' then false
    when 'archived' then completed_at is not null
    else true
end;

comment on function is_active(task_status, timestamptz) is
    'True if a task is not abandoned: neither cancelled, nor archived without completion.';

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

-- Checks that paths are one list, which names each file in one way only, so that two lists overlap
-- exactly if they have a path in common: no empty path, none with `.`, `..` or nothing between two
-- slashes, none over 1,000 characters.
create function names_files(paths text[])
    returns boolean
    language sql
    immutable
    strict
    parallel safe
return coalesce(array_ndims(paths), 1) = 1 and not exists (
    select from unnest(paths) as named (path)
    where
        named.path is null
        or length(named.path) not between 1 and 1000
        or named.path ~ '(^|/)\.{1,2}(/|$)|//|[\u0001-\u001f\u007f-\u009f]'
);

comment on function names_files(text[]) is
    'True if each path of a list is the only way to write it.';

-- The names of a structure's phases, in the order of its list. Malformed lists give names too: a
-- trigger refuses them, and names the phase.
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
    select string_agg(found.value #>> '{}', e'\n' order by found.place)
    from jsonb_path_query(structure, 'strict $.**') with ordinality as found (value, place)
    where jsonb_typeof(found.value) = 'string'
);

comment on function spec_text(jsonb) is 'Every text in a structure, one after the other.';

-- PUBLIC may execute no function of taskdb. Functions of the extension keep its own grants.
revoke execute on function
    is_active,
    is_dead,
    is_satisfied,
    names_files,
    phase_names,
    spec_text,
    utf8_bytes,
    shared.uuidv7()
from public;
