"""Values of every type become what is annotated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntFlag, StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from psycopg import Connection
from psycopg.types.enum import EnumInfo, register_enum

from taskdb.errors import QueryDefinitionError
from taskdb.query import Length
from tests.query.results.values import Address, Make, Mood, Weight


@dataclass(slots=True)
class Everything:
    uuid: UUID
    mood: Mood
    moods: list[Mood]
    maybe_mood: Mood | None
    maybe_moods: list[Mood | None] | None
    plain_mood: str
    weight: Weight
    amount: Decimal
    share: float
    at: datetime
    day: date
    hour: time
    length: timedelta
    document: dict[str, Any]
    items: list[Any]
    typed: Address
    numbers: list[int]
    grid: list[list[int]]
    ids: list[UUID] | None
    data: bytes
    flag: bool
    anything: Any
    title: Annotated[str, Length(1)]
    choice: Literal["a", "b"]
    either: int | str


EVERYTHING = """
-- name: everything
select
    '0190163d-8694-739b-aea5-966c26f8ad91'::uuid as uuid,
    'glad'::pg_temp.mood as mood,
    array['glad', 'so, "so"']::pg_temp.mood[] as moods,
    null::pg_temp.mood as maybe_mood,
    array['glad', null]::pg_temp.mood[] as maybe_moods,
    'glad'::pg_temp.mood as plain_mood,
    1 as weight,
    1.50 as amount,
    0.5::float8 as share,
    '2026-03-01 12:00+00'::timestamptz as at,
    '2026-03-01'::date as day,
    '12:00'::time as hour,
    '1 day 1 second'::interval as length,
    '{"a": [1, null]}'::jsonb as document,
    '[1, {}]'::json as items,
    '{"street": "Main"}'::jsonb as typed,
    array[1, 2] as numbers,
    array[array[1], array[2]] as grid,
    null::uuid[] as ids,
    '\\x00ff'::bytea as data,
    true as flag,
    null as anything,
    'T' as title,
    'b'::text as choice,
    7 as either
from generate_series(1, 2);
"""


@pytest.mark.parametrize("registered", [False, True])
def test_every_type_becomes_what_is_annotated(
    conn: Connection[Any], queries_of: Make, registered: bool
) -> None:
    conn.execute("create type pg_temp.mood as enum ('glad', 'so, \"so\"')")
    if registered:
        info = EnumInfo.fetch(conn, "pg_temp.mood")
        assert info
        register_enum(info, conn, Mood, mapping={mood: mood.value for mood in Mood})
    query = queries_of(EVERYTHING)

    @query(file="q")
    def everything() -> list[Everything]: ...

    row, again = everything(conn)
    assert row == again
    assert row == Everything(
        uuid=UUID("0190163d-8694-739b-aea5-966c26f8ad91"),
        mood=Mood.GLAD,
        moods=[Mood.GLAD, Mood.SO_SO],
        maybe_mood=None,
        maybe_moods=[Mood.GLAD, None],
        plain_mood="glad",
        weight=Weight.LIGHT,
        amount=Decimal("1.50"),
        share=0.5,
        at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        day=date(2026, 3, 1),
        hour=time(12),
        length=timedelta(days=1, seconds=1),
        document={"a": [1, None]},
        items=[1, {}],
        typed={"street": "Main"},
        numbers=[1, 2],
        grid=[[1], [2]],
        ids=None,
        data=b"\0\xff",
        flag=True,
        anything=None,
        title="T",
        choice="b",
        either=7,
    )
    assert all(isinstance(mood, Mood) for mood in (row.mood, *row.moods))
    assert isinstance(row.weight, Weight)


def test_a_literal_may_have_none_among_its_values(conn: Connection[Any], queries_of: Make) -> None:
    query = queries_of("-- name: get\nselect nullif('a'::text, :b::text);")

    @query(file="q")
    def get(b: str) -> Literal["a", None]: ...

    assert get(conn, "b") == "a"
    assert get(conn, "a") is None


class Level(IntFlag):
    LOW = 1
    HIGH = 2


class Status(StrEnum):
    OPEN = "open"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> Status:
        return cls.OTHER


@dataclass(slots=True)
class Statuses:
    status: Status
    level: Level


# Values of a union become what the first member makes of them that they are of; an enumeration
# makes its members, those of a Flag together and those of `_missing_` as well.
MADE = [
    ("'glad'::text", Mood | Status, Mood.GLAD),
    ("'open'::text", Mood | Status | None, Status.OPEN),
    ("array['glad', 'b']", list[Mood | Literal["b"]], [Mood.GLAD, "b"]),
    ("'new'::text", Status, Status.OTHER),
    ("3", Level, Level.LOW | Level.HIGH),
    ("""'{"status": "new", "level": 3}'::jsonb""", Statuses, Statuses(Status.OTHER, Level(3))),
]


@pytest.mark.parametrize(("value", "annotation", "expected"), MADE)
def test_an_enumeration_makes_its_members(
    conn: Connection[Any], queries_of: Make, value: str, annotation: Any, expected: Any
) -> None:
    query = queries_of(f"-- name: get\nselect {value} as v;")

    @dataclass
    class Row:
        v: Any

    def get() -> Any: ...

    Row.__annotations__["v"] = annotation
    get.__annotations__["return"] = Row
    found = query(file="q")(get)(conn).v
    assert found == expected
    assert type(found) is type(expected)


ARRAYS = [
    ("array['glad', null]::pg_temp.mood[]", list[str | None], ["glad", None]),
    ("array['glad', 'so, \"so\"']::pg_temp.mood[]", list[str], ["glad", 'so, "so"']),
    ("array[array['glad'], array['so, \"so\"']]::pg_temp.mood[]", list[list[Mood]],
     [[Mood.GLAD], [Mood.SO_SO]]),
    ("'{}'::pg_temp.mood[]", list[list[Mood]], []),
    ("'[0:0]={glad}'::pg_temp.mood[]", list[str], ["glad"]),
    ("array['a\\b', '{', 'NULL', '', ' ', null, 'q\"']::pg_temp.short[]", list[str | None],
     ["a\\b", "{", "NULL", "", " ", None, 'q"']),
]  # fmt: skip


@pytest.mark.parametrize(("value", "annotation", "expected"), ARRAYS)
def test_an_array_of_a_type_that_psycopg_does_not_know_becomes_a_list(
    conn: Connection[Any], queries_of: Make, value: str, annotation: Any, expected: Any
) -> None:
    conn.execute("create type pg_temp.mood as enum ('glad', 'so, \"so\"')")
    conn.execute("create domain pg_temp.short as text")
    query = queries_of(f"-- name: get\nselect {value};")

    def get() -> Any: ...

    get.__annotations__["return"] = list[annotation]
    assert query(file="q")(get)(conn) == [expected]


# A value that is not what is annotated, although its type may be, and what is said of it.
MISREAD = [
    ("array[1, null]", list[int], "NULL inside an array"),
    ("array[array[1]]", list[int], "not the dimensions of list"),
    ("array[1]", list[list[int]], "not the dimensions of list"),
    ("7.5", int, "7.5 in column v of row 1, which is no whole number"),
    ("'NaN'::numeric", int, "NaN in column v of row 1, which is no whole number"),
    ("'Infinity'::numeric", int, "Infinity in column v of row 1, which is no whole number"),
    ("array[7.5]", list[int], "7.5 in column v of row 1, which is no whole number"),
    ("'::1'::inet", IPv4Address, "which is no IPv4Address"),
    ("'c'::text", Literal["a", "b"], "'c' in column v of row 1, which Literal"),
    ("array['c']", list[Literal["a", "b"]], "'c' in column v of row 1, which Literal"),
    ("'c'::text", Literal["a"] | Literal["b"], "'c' in column v of row 1, which Literal['a', 'b']"),
    ("'c'::text", Mood | Literal["b"], "'c' in column v of row 1, which is no"),
    ("array['c']", list[Mood | Literal["b"]], "'c' in column v of row 1, which is no"),
    ("'\"x\"'::jsonb", dict[str, Any] | list[Any], "'x' in column v of row 1, which is no dict"),
    ("'[]'::jsonb", dict[str, Any], "which is no dict"),
    ("'{}'::jsonb", list[Any], "which is no list"),
    ("'null'::jsonb", dict[str, Any], "JSON's null, or NULL, in column v of row 1"),
    ("'glad'::pg_temp.mood", list[str], "'glad' in column v of row 1, which is no array"),
]


@pytest.mark.parametrize(("value", "annotation", "expected"), MISREAD)
def test_a_value_that_is_not_what_is_annotated_is_named(
    conn: Connection[Any], queries_of: Make, value: str, annotation: Any, expected: str
) -> None:
    conn.execute("create type pg_temp.mood as enum ('glad')")
    query = queries_of(f"-- name: get\nselect {value} as v;")

    def get() -> Any: ...

    get.__annotations__["return"] = list[annotation]
    with pytest.raises(QueryDefinitionError, match=re.escape(expected)):
        query(file="q")(get)(conn)


# Values that the server has and Python has not.
UNREADABLE = [
    ("'infinity'::timestamptz", datetime, "'infinity'"),
    ("'-infinity'::date", date, "'-infinity'"),
    ("'0044-03-15 BC'::date", date, "'0044-03-15 BC'"),
    ("'24:00'::time", time, "'24:00:00'"),
    ("array['infinity']::date[]", list[date], "'{infinity}'"),
]


@pytest.mark.parametrize(("value", "annotation", "shown"), UNREADABLE)
async def test_a_value_that_python_cannot_hold_is_named(
    queries_of: Make, call: Any, value: str, annotation: Any, shown: str
) -> None:
    query = queries_of(f"-- name: get\nselect 1 as n, {value} as v union all select 2, {value};")

    @dataclass
    class Row:
        n: int
        v: Any

    def get() -> Any: ...

    Row.__annotations__["v"] = annotation
    get.__annotations__["return"] = list[Row]
    with pytest.raises(QueryDefinitionError) as caught:
        await call(query(file="q")(get))
    assert f"q.get returned {shown} in column v of row 1, which Python can't" in str(caught.value)
    assert "v::text" in (caught.value.hint or "")


def test_a_value_that_python_cannot_hold_is_named_in_a_stream(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(
        "-- name: get\nselect case n when 700 then 'infinity' else '2030-01-01' end::date "
        "from generate_series(1, 900) as n;"
    )

    @query(file="q")
    def get() -> list[date]: ...

    with pytest.raises(QueryDefinitionError, match="'infinity' in column date of row 700"):
        list(get.stream(conn))


def test_new_types_are_looked_through(conn: Connection[Any], queries_of: Make) -> None:
    query = queries_of("-- name: get\nselect :id::uuid;")
    some = UUID("0190163d-8694-739b-aea5-966c26f8ad91")

    def get(id: UUID) -> Any: ...

    get.__annotations__["return"] = NewType("TaskId", UUID)
    assert query(file="q")(get)(conn, some) == some


async def test_a_null_that_was_not_promised_is_named(queries_of: Make, call: Any) -> None:
    query = queries_of(
        "-- name: pairs\nselect n::text as number, nullif(n, 3)::text as name "
        "from generate_series(1, 4) as n;\n"
        "-- name: one\nselect null::int;\n"
        "-- name: ones\nselect nullif(n, 2) from generate_series(1, 3) as n;"
    )

    @dataclass
    class Texts:
        name: str
        number: str

    def pairs() -> Any: ...

    pairs.__annotations__["return"] = list[Texts]
    with pytest.raises(QueryDefinitionError) as caught:
        await call(query(file="q")(pairs))
    assert caught.value.message == (
        "q.pairs returned NULL in column name of row 3, but Texts.name is not Optional"
    )
    assert caught.value.where == "sql/q.sql:1:1"

    @query(file="q")
    def one() -> int: ...
    @query(file="q")
    def ones() -> list[int]: ...

    with pytest.raises(QueryDefinitionError, match="row 1, but the result is not Optional"):
        await call(one)
    with pytest.raises(QueryDefinitionError, match="row 2, but the result is not Optional"):
        await call(ones)


@pytest.mark.parametrize("value", ["'sad'::text", "'{glad,sad}'::text[]"])
def test_a_value_that_an_enumeration_lacks_is_named(
    conn: Connection[Any], queries_of: Make, value: str
) -> None:
    query = queries_of(f"-- name: get\nselect 1 as number, {value} as mood;")

    @dataclass
    class Row:
        number: int
        mood: Any

    def get() -> Any: ...

    Row.__annotations__["mood"] = list[Mood] if "[]" in value else Mood
    get.__annotations__["return"] = Row
    with pytest.raises(QueryDefinitionError) as caught:
        query(file="q")(get)(conn)
    assert "q.get returned 'sad' in column mood of row 1, which" in caught.value.message
    assert "Mood" in caught.value.message
