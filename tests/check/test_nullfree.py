"""The functions that the nullability check trusts, called with the edge values of their types."""

from __future__ import annotations

import itertools
import random
from collections.abc import Generator, Iterable

import psycopg
import pytest

from taskdb.query.catalogue import checks
from taskdb.query.catalogue.checks import Function
from taskdb.query.check.describe import describe
from taskdb.query.check.nullfree import Promise, null_free_columns, promise, signature
from taskdb.testing.databases import Databases

# Literals by type. From 17 on an interval may be infinite.
VALUES = {
    '"any"': ["null::integer", "1", "''::text"],
    '"char"': ["a", ""],
    "anyarray": ["{}", "{NULL}", "{1,2}"],
    "anycompatible": ["1"],
    "anycompatiblearray": ["{}", "{NULL}", "{1,2}"],
    "anyelement": ["1"],
    "anyenum": ["calm"],
    "anymultirange": ["{}", "{(,)}", "{[1,3)}"],
    "anynonarray": ["1"],
    "anyrange": ["empty", "(,)", "[1,3)"],
    "bigint": ["0", "1", "-1", "9223372036854775807"],
    "boolean": ["true", "false"],
    "bytea": ["", "\\x00ff", "abc"],
    "character": ["", "a"],
    "character varying": ["", "a"],
    "cidr": ["10.0.0.0/8"],
    "date": ["2020-02-29", "infinity", "-infinity"],
    "double precision": ["0.5", "1.5", "0", "-1", "NaN", "Infinity", "-Infinity"],
    "inet": ["10.0.0.1/8", "::1"],
    "integer": ["0", "1", "-1", "7", "2147483647"],
    "interval": ["0", "1 mon -1 day 3 s", "-1 year", "infinity"],
    "json": ["null", "{}", "[]", "1", '{"a": null, "b": [1]}', "[1, null]"],
    "jsonb": ["null", "{}", "[]", "1", '{"a": null, "b": [1]}', "[1, null]"],
    "macaddr": ["08:00:2b:01:02:03"],
    "name": ["", "a", "utf8"],
    "numeric": ["0", "0.5", "1.5", "-1", "NaN", "Infinity", "-Infinity"],
    "oid": ["0", "1"],
    "pg_lsn": ["0/1"],
    "real": ["0", "1.5", "NaN", "Infinity"],
    "record": ["row(1, null::integer)", "row(2, 3)"],
    "regclass": ["a_sequence"],
    "regconfig": ["simple", "english"],
    "smallint": ["0", "1", "-1", "32767"],
    "text": ["", "a", "UTC", "day", "hex", "utf8", "%", "1", "abc def"],
    "text[]": ["{}", "{a,b}", "{a}"],
    "tid": ["(0,1)"],
    "time with time zone": ["00:00+00", "12:34:56-08"],
    "time without time zone": ["00:00", "24:00", "12:34:56"],
    "timestamp with time zone": ["2020-02-29 12:00+00", "infinity", "-infinity"],
    "timestamp without time zone": ["2020-02-29 12:00", "infinity", "-infinity"],
    "tsquery": ["", "a & b", "!a"],
    "tsvector": ["", "a:1 b:2A"],
    "uuid": ["00000000-0000-0000-0000-000000000000"],
    "xid": ["1"],
    "xid8": ["1"],
}
# The placeholder of a type that is none until it is called.
CONCRETE = {
    "anyarray": "integer[]",
    "anycompatible": "integer",
    "anycompatiblearray": "integer[]",
    "anyelement": "integer",
    "anyenum": "mood",
    "anymultirange": "int4multirange",
    "anynonarray": "integer",
    "anyrange": "int4range",
}
# Calls that must succeed, and the number of tries.
CALLS, TRIES = 6, 60
# Arguments that fit where chance finds none.
EXAMPLES = {
    "current_setting(text)": ["'work_mem'"],
    "date_trunc(text, timestamp with time zone, text)": ["'day'", "'infinity'", "'UTC'"],
    "decode(text, text)": ["'00'", "'hex'"],
    "encode(bytea, text)": ["''", "'hex'"],
    'json_build_object("any")': ["'a'", "null::integer"],
    'jsonb_build_object("any")': ["'a'", "null::integer"],
    "jsonb_delete(jsonb, text[])": ["'{}'::jsonb", "variadic '{a}'::text[]"],
    "make_timestamp(integer, integer, integer, integer, integer, double precision)": (
        ["2020", "2", "29", "0", "0", "0"]
    ),
    "make_timestamptz(integer, integer, integer, integer, integer, double precision, text)": (
        ["2020", "2", "29", "0", "0", "0", "'UTC'"]
    ),
    "pg_notify(text, text)": ["'a'", "null"],
    "regexp_instr(text, text, integer, integer, integer, text, integer)": (
        ["'a'", "'(z)'", "1", "1", "0", "''", "1"]
    ),
    "regexp_replace(text, text, text, integer, integer, text)": (
        ["'a'", "'z'", "''", "1", "1", "''"]
    ),
    "set_config(text, text, boolean)": ["'work_mem'", "null", "true"],
    "width_bucket(double precision, double precision, double precision, integer)": (
        ["1", "2", "3", "4"]
    ),
}
# It would wait.
NOT_CALLED = {"pg_sleep(double precision)"}


@pytest.fixture(scope="module")
def conn(databases: Databases) -> Generator[psycopg.Connection]:
    url = databases.empty()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create type mood as enum ('calm', 'cross')")
        connection.execute("create sequence a_sequence")
        connection.execute("set timezone to 'UTC'")
        yield connection
    databases.drop(url)


@pytest.fixture(scope="module")
def built_in(conn: psycopg.Connection) -> list[Function]:
    oids = conn.execute(
        "select oid::bigint from pg_proc where pronamespace = 'pg_catalog'::regnamespace"
    )
    return checks.functions(conn, oids=[oid for (oid,) in oids])


def literal(kind: str, value: str) -> str:
    if kind in ('"any"', "record"):
        return value
    quoted = value.replace("'", "''")
    return f"'{quoted}'::{CONCRETE.get(kind, kind)}"


def argument_lists(function: Function, *, null_at: Iterable[int] = ()) -> list[list[str]]:
    """Some combinations of edge values for *function*; NULL at the places *null_at*."""
    places = [
        [f"null::{CONCRETE.get(kind, kind)}"]
        if place in null_at
        else [literal(kind, value) for value in VALUES[kind]]
        for place, kind in enumerate(function.arguments)
    ]
    combinations = [list(one) for one in itertools.product(*places)]
    count = min(TRIES, len(combinations))
    chosen = random.Random(signature(function)).sample(combinations, count)
    return [EXAMPLES[signature(function)], *chosen] if signature(function) in EXAMPLES else chosen


def results(conn: psycopg.Connection, function: Function, calls: list[list[str]]) -> set[bool]:
    """Call *function*; was a result NULL, and was one not? Calls that fail don't count."""
    found: list[bool] = []
    for arguments in calls:
        if len(found) == CALLS:
            break
        call = f'pg_catalog."{function.name}"({", ".join(arguments)})'
        try:
            rows = conn.execute(
                f"select f.x is not distinct from null from (select {call}) f (x)".encode()
            )
        except psycopg.Error:
            continue
        found += [null for (null,) in rows]
    return set(found)


def gave_null_or_never_ran(
    conn: psycopg.Connection, functions: Iterable[Function], *, null_at: Iterable[int] = ()
) -> tuple[list[str], list[str]]:
    """The signatures of *functions* that gave a NULL, and of those that could not be called."""
    gave_null: list[str] = []
    never_ran: list[str] = []
    for function in functions:
        seen = results(conn, function, argument_lists(function, null_at=null_at))
        if True in seen:
            gave_null.append(signature(function))
        if not seen:
            never_ran.append(signature(function))
    return gave_null, never_ran


@pytest.mark.slow
def test_listed_strict_functions_give_no_null_for_edge_values(
    conn: psycopg.Connection, built_in: list[Function]
) -> None:
    listed = [one for one in built_in if promise(one) is Promise.ALL_ARGUMENTS]

    called = [one for one in listed if signature(one) not in NOT_CALLED]

    assert len(listed) > 700
    assert gave_null_or_never_ran(conn, called) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "null_at"),
    [
        (Promise.NEVER_NULL, range(9)),
        (Promise.FIRST_ARGUMENT, range(1, 9)),
        (Promise.FIRST_TWO, range(2, 9)),
        (Promise.ANY_ARGUMENT, [0]),
        (Promise.ANY_ARGUMENT, [1]),
    ],
)
def test_functions_listed_as_taking_null_make_something_of_it(
    conn: psycopg.Connection, built_in: list[Function], kept: Promise, null_at: Iterable[int]
) -> None:
    listed = [one for one in built_in if promise(one) is kept]

    gave_null, never_ran = gave_null_or_never_ran(conn, listed, null_at=null_at)

    assert listed
    assert (gave_null, never_ran) == ([], [])


@pytest.mark.parametrize(
    "call",
    [
        "to_char('infinity'::timestamptz, 'YYYY')",
        "extract(hour from 'infinity'::timestamptz)",
        "'infinity'::timestamptz::time",
        "lower('empty'::int4range)",
        "array_length('{}'::integer[], 1)",
        "substring('a' from 'z')",
        "scale('NaN'::numeric)",
        "'{}'::jsonb -> 'a'",
    ],
)
def test_strict_functions_that_give_null_of_their_own_are_not_trusted(
    conn: psycopg.Connection, call: str
) -> None:
    described = describe(conn, f"select {call} as x")

    row = conn.execute(f"select {call} is null".encode()).fetchone()

    assert row == (True,)
    assert described.columns[0].nullable


def test_functions_of_extensions_and_users_are_not_trusted(conn: psycopg.Connection) -> None:
    conn.execute(
        "create function lower(integer) returns integer strict immutable language sql "
        "as 'select null::integer'"
    )

    described = describe(conn, "select lower(1) as mine, pg_catalog.lower('A') as theirs")

    assert [column.nullable for column in described.columns] == [True, False]


@pytest.mark.parametrize(
    "call",
    [
        "generate_series(1, 2)",
        "generate_subscripts('{1,2}'::integer[], 1)",
        "json_array_elements('[null]')",
        "json_each('{\"a\": null}')",
        "json_each_text('{\"a\": null}')",
        "json_object_keys('{\"a\": null}')",
        "jsonb_array_elements('[null]')",
        "jsonb_each('{\"a\": null}')",
        "jsonb_each_text('{\"a\": null}')",
        "jsonb_object_keys('{\"a\": null}')",
        "regexp_split_to_table('a b', ' ')",
    ],
)
def test_null_free_columns_of_sets_have_no_null(
    conn: psycopg.Connection, built_in: list[Function], call: str
) -> None:
    sets = [one for one in built_in if one.name == call.partition("(")[0]]

    result = conn.execute(f"select * from {call}".encode()).pgresult

    assert result is not None
    assert result.ntuples
    for function in sets:
        assert null_free_columns(function)
        for column in null_free_columns(function):
            values = [result.get_value(row, column - 1) for row in range(result.ntuples)]
            assert None not in values
