"""A value comes back from the server as it was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import RawCursor

from taskdb.query import Queries
from taskdb.query._encoding import encoder

ECHO = """
-- name: text
select :value::text;
-- name: bigint
select :value::bigint;
-- name: double
select :value::float8;
-- name: numeric
select :value::numeric;
-- name: boolean
select :value::boolean;
-- name: uuid
select :value::uuid;
-- name: timestamptz
select :value::timestamptz;
-- name: day
select :value::date;
-- name: interval
select :value::interval;
-- name: bytea
select :value::bytea;
-- name: texts
select unnest(:value::text[]);
-- name: numbers
select unnest(:value::bigint[]);
-- name: moments
select unnest(:value::timestamptz[]);
-- name: document
select :value::jsonb as value;
-- name: documents
select :value::jsonb as value;
"""


@dataclass
class Document:
    value: dict[str, Any]


@dataclass
class Documents:
    value: list[Any]


class Echo:
    """One query for each type; each returns its argument."""

    def __init__(self, folder: Path) -> None:
        (folder / "echo.sql").write_text(ECHO)
        query = Queries(folder)

        @query(file="echo")
        def text(value: str) -> str: ...
        @query(file="echo")
        def bigint(value: int) -> int: ...
        @query(file="echo")
        def double(value: float) -> float: ...
        @query(file="echo")
        def numeric(value: Decimal) -> Decimal: ...
        @query(file="echo")
        def boolean(value: bool) -> bool: ...
        @query(file="echo")
        def uuid(value: UUID) -> UUID: ...
        @query(file="echo")
        def timestamptz(value: datetime) -> datetime: ...
        @query(file="echo")
        def day(value: date) -> date: ...
        @query(file="echo")
        def interval(value: timedelta) -> timedelta: ...
        @query(file="echo")
        def bytea(value: bytes) -> bytes: ...
        @query(file="echo")
        def texts(value: list[str | None]) -> list[str | None]: ...
        @query(file="echo")
        def numbers(value: list[int | None]) -> list[int | None]: ...
        @query(file="echo")
        def moments(value: list[datetime]) -> list[datetime]: ...
        @query(file="echo")
        def document(value: dict[str, Any]) -> Document: ...
        @query(file="echo")
        def documents(value: list[Any]) -> Documents: ...

        query.complete()
        self.queries = {each.name.removeprefix("echo."): each for each in query}

    def __call__(self, conn: psycopg.Connection[Any], name: str, value: Any) -> Any:
        result = self.queries[name](conn, value)
        return result.value if isinstance(result, Document | Documents) else result


@pytest.fixture
def echo(tmp_path: Path) -> Echo:
    return Echo(tmp_path)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
# psycopg reads no moment whose local form leaves the years 1 to 9999.
MOMENTS = st.datetimes(
    datetime(1, 1, 3),
    datetime(9999, 12, 29),
    timezones=st.timezones(),
)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(-1e6, 1e6)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)
VALUES = (
    st.tuples(st.just("text"), TEXTS)
    | st.tuples(st.just("bigint"), INTEGERS)
    | st.tuples(st.just("double"), st.floats(allow_nan=False))
    | st.tuples(st.just("numeric"), st.decimals(allow_nan=False, allow_infinity=False))
    | st.tuples(st.just("boolean"), st.booleans())
    | st.tuples(st.just("uuid"), st.uuids())
    | st.tuples(st.just("timestamptz"), MOMENTS)
    | st.tuples(st.just("day"), st.dates())
    | st.tuples(st.just("interval"), st.timedeltas())
    | st.tuples(st.just("bytea"), st.binary())
    | st.tuples(st.just("texts"), st.lists(st.none() | TEXTS))
    | st.tuples(st.just("numbers"), st.lists(st.none() | INTEGERS))
    | st.tuples(st.just("moments"), st.lists(MOMENTS))
    | st.tuples(st.just("document"), st.dictionaries(TEXTS, JSON))
    | st.tuples(st.just("documents"), st.lists(JSON))
)


def in_utc(value: Any) -> Any:
    """Return *value*, moments in UTC: in their own zone an hour that comes twice equals nothing."""
    if isinstance(value, list):
        return [in_utc(item) for item in value]
    return value.astimezone(UTC) if isinstance(value, datetime) else value


@pytest.mark.slow
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(VALUES)
def test_a_value_comes_back_as_it_went(
    conn: psycopg.Connection[Any], echo: Echo, value: tuple[str, Any]
) -> None:
    name, sent = value

    assert echo(conn, name, sent) == in_utc(sent)


@pytest.mark.parametrize("style", ["postgres", "sql_standard", "iso_8601", "postgres_verbose"])
def test_a_duration_means_the_same_under_every_setting(
    conn: psycopg.Connection[Any], tmp_path: Path, style: str
) -> None:
    (tmp_path / "echo.sql").write_text("-- name: seconds\nselect extract(epoch from :d::interval);")
    query = Queries(tmp_path)

    @query(file="echo")
    def seconds(d: timedelta) -> Decimal: ...

    conn.execute("select set_config('intervalstyle', $1, true)", [style])
    duration = timedelta(days=-3, hours=5, microseconds=7)
    assert seconds(conn, duration) == Decimal(duration // timedelta(microseconds=1)) / 10**6


def test_the_server_infers_the_types_of_arguments(conn: psycopg.Connection[Any]) -> None:
    """A statement prepared without types, as `taskdb check` prepares it, is the one that runs."""
    cursor = RawCursor(conn)
    cursor.execute(
        "select pg_typeof($1::text || 'a'), pg_typeof(1.5 + $2), pg_typeof(now() + $3)",
        [encoder(str)("a"), encoder(int)(1), encoder(timedelta)(timedelta(1))],
    )

    assert cursor.fetchone() == ("text", "numeric", "timestamp with time zone")
