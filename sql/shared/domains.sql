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
