"""Results: how many rows a stub promises, and what rows become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import psycopg
import pydantic
import pydantic.dataclasses
import pytest
from psycopg import AsyncConnection, Connection
from psycopg.pq import Format
from psycopg.rows import dict_row
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.numeric import FloatLoader

from taskdb.errors import (
    ClaimLostError,
    NotFoundError,
    QueryDefinitionError,
    TooManyRowsError,
    ValidationError,
)
from taskdb.query import Length, Queries, Query

Make = Callable[[str], Queries]
# The server's number of the type.
NUMERIC = 1700


class Mood(StrEnum):
    GLAD = "glad"
    SO_SO = 'so, "so"'


class Weight(IntEnum):
    LIGHT = 1


class Address(TypedDict):
    street: str


@dataclass(slots=True)
class Pair:
    name: str
    number: int | None


@pytest.fixture
def queries_of(tmp_path: Path) -> Make:
    """Write SQL to `q.sql` and return its decorator; stubs say `@query(file="q")`."""

    def made(sql: str) -> Queries:
        (tmp_path / "q.sql").write_text(sql)
        return Queries(tmp_path, label="sql")

    return made


@pytest.fixture(params=["sync", "async"])
async def call(
    request: pytest.FixtureRequest, conn: Connection[Any], aconn: AsyncConnection[Any]
) -> Any:
    """Call a query on a connection of either kind; await its result if it must be."""

    async def called(query: Query[..., Any], *args: Any, **kwargs: Any) -> Any:
        if request.param == "sync":
            return query(conn, *args, **kwargs)
        return await query(aconn, *args, **kwargs)

    return called


VALUES = "select * from unnest(:names::text[]) with ordinality as v (name, number);"


async def test_one_row_is_one_row(queries_of: Make, call: Any) -> None:
    query = queries_of(f"-- name: get\n{VALUES}")

    @query(file="q")
    def get(names: list[str]) -> Pair: ...

    assert await call(get, ["a"]) == Pair("a", 1)
    with pytest.raises(NotFoundError, match=r"^no row was found"):
        await call(get, [])
    with pytest.raises(TooManyRowsError, match=r"^2 rows were found, where one is promised"):
        await call(get, ["a", "b"])


async def test_at_most_one_row_may_be_none(queries_of: Make, call: Any) -> None:
    query = queries_of(f"-- name: find\n{VALUES}")

    @query(file="q")
    def find(names: list[str]) -> Pair | None: ...

    assert await call(find, ["a"]) == Pair("a", 1)
    assert await call(find, []) is None
    with pytest.raises(TooManyRowsError):
        await call(find, ["a", "b"])


async def test_a_list_is_all_rows(queries_of: Make, call: Any) -> None:
    query = queries_of(f"-- name: listed\n{VALUES}")

    @query(file="q")
    def listed(names: list[str]) -> list[Pair]: ...

    assert await call(listed, ["a", "b"]) == [Pair("a", 1), Pair("b", 2)]
    assert await call(listed, []) == []


async def test_a_scalar_takes_the_one_column(queries_of: Make, call: Any) -> None:
    query = queries_of("-- name: one\nselect :n::int;\n-- name: many\nselect unnest(:n::int[]);")

    @query(file="q")
    def one(n: int | None) -> int | None: ...
    @query(file="q")
    def many(n: list[int | None]) -> list[int | None]: ...

    assert await call(one, 5) == 5
    assert await call(one, None) is None
    assert await call(many, [1, None]) == [1, None]


async def test_a_statement_without_rows_gives_the_number_it_affected(
    queries_of: Make, call: Any
) -> None:
    query = queries_of(
        "-- name: create\ncreate temporary table t (n int);\n"
        "-- name: fill\ninsert into t select generate_series(1, :n::int);\n"
        "-- name: clear\ndelete from t;"
    )

    @query(file="q")
    def create() -> None: ...
    @query(file="q")
    def fill(n: int) -> int: ...
    @query(file="q")
    def clear() -> None: ...

    assert await call(create) is None
    assert await call(fill, 3) == 3
    assert await call(fill, 0) == 0
    assert await call(clear) is None


async def test_a_function_called_for_its_effect_gives_none(queries_of: Make, call: Any) -> None:
    query = queries_of("-- name: pause\nselect pg_sleep(0);")

    @query(file="q")
    def pause() -> None: ...

    assert await call(pause) is None


@pytest.mark.parametrize(
    ("sql", "returns", "message"),
    [
        ("select 1", None, "q.get returns rows, but its function returns None"),
        ("select 1 where false", None, "q.get returns rows, but its function returns None"),
        ("select pg_sleep(0), 1", None, "q.get returns rows, but its function returns None"),
        ("lock table tasks", list[int], "q.get returns no rows, but its function promises some"),
        ("lock table tasks", Pair, "q.get returns no rows, but its function promises some"),
        ("lock table tasks", int | None, "q.get returns no rows, but its function promises some"),
        ("lock table tasks", int, "q.get affects no rows that could be counted"),
        ("select 1, 2", int, "q.get returns 2 columns (?column?, ?column?), but its function"),
        ("select 'a' as name", Pair, "field number has no column"),
        ("select 'a' as name, 1 as number, 2 as n", Pair, "column n has no field"),
        ("select 'a' as name, 1 as number, 2 as number", Pair, "column number comes twice"),
        ("select 'a' as nmae, 1 as number", Pair, "column nmae has no field; field name has no"),
        ("select 1 as name, 1 as number", Pair, "column name as int4, but Pair.name is annotated"),
        ("select 1.5", float, "column ?column? as numeric, but the result is annotated float"),
        ("select 1", Decimal, "as int4, but the result is annotated Decimal"),
        ("select 'a'::text", Literal[1, 2], "as text, but the result is annotated Literal[1, 2]"),
        ("select 'a'::text", Weight, "as text, but the result is annotated Weight"),
        ("select '{1}'::int[]", list[int], "as int4[], but the result is annotated int"),
        ("select '{1}'::int[] as a", list[str] | None, "as int4[]"),
        ("select '{1}'::int[] as a", Mood, "as int4[]"),
        ("select '{}'::jsonb as a", str, "as jsonb"),
    ],
)
def test_a_result_that_was_not_promised_is_refused(
    conn: Connection[Any], queries_of: Make, sql: str, returns: Any, message: str
) -> None:
    query = queries_of(f"-- name: get\n{sql};")

    def get() -> Any: ...

    get.__annotations__["return"] = returns
    with pytest.raises(QueryDefinitionError) as caught:
        query(file="q")(get)(conn)
    assert message in caught.value.message
    assert caught.value.where == "sql/q.sql:1:1"
    assert caught.value.hint


async def test_the_error_for_no_row_may_be_named(queries_of: Make, call: Any) -> None:
    query = queries_of(
        "-- name: heartbeat\nselect 1 where :task_key = 'held';\n"
        "-- name: release\ndelete from tasks where key = :key;\n"
        "-- name: find\nselect 1 where false;"
    )

    @query(file="q", not_found=ClaimLostError)
    def heartbeat(task_key: str) -> int: ...
    @query(file="q", not_found=ClaimLostError)
    def release(key: str) -> None: ...
    @query(file="q", not_found=LookupError)
    def find() -> int: ...

    assert await call(heartbeat, "held") == 1
    with pytest.raises(ClaimLostError, match=r"^no row was found for task_key='lost'") as lost:
        await call(heartbeat, "lost")
    assert lost.value.where == "sql/q.sql:1:1"
    with pytest.raises(ClaimLostError, match=r"^no row was found for key='T-1'.*claim again"):
        await call(release, "T-1")
    with pytest.raises(LookupError, match=r"^no row was found"):
        await call(find)


def test_what_was_not_found_is_named_but_no_secret_is(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(
        "-- name: get\nselect 1 where :key = :password and :id = 1 and :mood = 'x' and :n <> 1;"
    )

    @query(file="q")
    def get(*, key: str, password: str, id: int, mood: Mood, n: int | None = None) -> int: ...

    with pytest.raises(NotFoundError) as caught:
        get(conn, key="k" * 200, password="hunter2", id=7, mood=Mood.GLAD)
    assert "id='7', mood='glad'" in caught.value.message
    assert "hunter2" not in str(caught.value)
    assert "n=" not in caught.value.message
    assert len(caught.value.message) < 160


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


def test_columns_go_to_fields_by_name_and_in_any_order(
    conn: Connection[Any], queries_of: Make
) -> None:
    @dataclass
    class Row:
        a: int
        computed: int = field(init=False, default=9)
        _: KW_ONLY
        b: int
        c: int = 0

    query = queries_of("-- name: get\nselect 3 as c, 1 as a, 2 as b;")

    def get() -> Any: ...

    get.__annotations__["return"] = Row
    assert query(file="q")(get)(conn) == Row(1, b=2, c=3)


def test_a_constructor_may_have_other_places_than_the_fields(
    conn: Connection[Any], queries_of: Make
) -> None:
    @dataclass
    class Scaled:
        a: int
        scale: InitVar[int] = 10
        b: int = 0

    @dataclass(init=False)
    class Turned:
        a: int
        b: int

        def __init__(self, b: int, a: int) -> None:
            self.a, self.b = a, b

    query = queries_of(
        "-- name: scaled\nselect 1 as a, 2 as b;\n-- name: turned\nselect 1 as a, 2 as b;"
    )

    def scaled() -> Any: ...
    def turned() -> Any: ...

    scaled.__annotations__["return"] = Scaled
    turned.__annotations__["return"] = Turned
    assert query(file="q")(scaled)(conn) == Scaled(1, b=2)
    assert query(file="q")(turned)(conn) == Turned(a=1, b=2)


@pytest.mark.parametrize("annotation", [list[int], list[dict[str, Any]], tuple[int, str], int])
def test_what_comes_as_text_is_taken_for_nothing_else(
    conn: Connection[Any], queries_of: Make, annotation: Any
) -> None:
    conn.execute("create type pg_temp.mood as enum ('glad')")
    query = queries_of("-- name: get\nselect 1 as n, array['glad']::pg_temp.mood[] as moods;")

    @dataclass
    class Row:
        n: int
        moods: Any

    def get() -> Any: ...

    Row.__annotations__["moods"] = annotation
    get.__annotations__["return"] = Row
    with pytest.raises(QueryDefinitionError, match="moods as text, of a type that psycopg does no"):
        query(file="q")(get)(conn)


# Classes that rows become, by their own constructors.


class PairTuple(NamedTuple):
    name: str
    number: int | None = None


@attrs.define
class PairAttrs:
    name: str
    _number: int | None = attrs.field(kw_only=True)

    @property
    def number(self) -> int | None:
        return self._number


class PairModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)

    name: Annotated[str, pydantic.StringConstraints(to_upper=True)]
    number: int | None


class PairStruct(msgspec.Struct, frozen=True):
    name: str
    number: int | None


@pydantic.dataclasses.dataclass
class PairPydantic:
    name: str
    number: int | None


ROW_CLASSES = [PairTuple, PairAttrs, PairModel, PairStruct, PairPydantic]


@pytest.mark.parametrize("kind", ROW_CLASSES)
def test_rows_become_a_class_by_its_own_constructor(
    conn: Connection[Any], queries_of: Make, kind: Any
) -> None:
    query = queries_of(
        "-- name: get\nselect n as number, 'a' as name from (values (1), (null)) as v (n);\n"
        "-- name: bad\nselect null::text as name, 1 as number;\n"
        "-- name: more\nselect 'a' as name, 1 as number, 2 as colour;"
    )

    def get() -> Any: ...
    def bad() -> Any: ...
    def more() -> Any: ...

    get.__annotations__["return"] = bad.__annotations__["return"] = list[kind]
    more.__annotations__["return"] = kind | None
    found = query(file="q")(get)(conn)
    assert [type(row) for row in found] == [kind, kind]
    assert [row.number for row in found] == [1, None]
    assert {row.name for row in found} == {"A" if kind is PairModel else "a"}
    with pytest.raises(QueryDefinitionError, match="returned NULL in column name of row 1"):
        query(file="q")(bad)(conn)
    with pytest.raises(QueryDefinitionError, match=f"not fit {kind.__name__}: column colour has"):
        query(file="q")(more)(conn)


T = TypeVar("T")


@dataclass
class Page(Generic[T]):
    item: T


class Forgotten:
    name: str


# Values that are no row, and the error of each.
NO_RESULTS: list[tuple[Any, str]] = [
    (Sequence[Pair], "return list[...]"),
    (Iterable[Pair], "return list[...]"),
    (tuple[Pair, ...], "return list[...]"),
    (set[Pair], "return list[...]"),
    (Sequence[PairTuple] | None, "return list[...]"),
    (tuple[int, str], "return a NamedTuple"),
    (list[tuple[int, str]], "return a NamedTuple"),
    (Address, "Address is a TypedDict"),
    (list[Address], "Address is a TypedDict"),
    (Page[int], "Page[int] is generic"),
    (list[Page[int]], "Page[int] is generic"),
    (Forgotten, "make it a dataclass"),
    (list[Forgotten], "make it a dataclass"),
]


@pytest.mark.parametrize(("annotation", "expected"), NO_RESULTS)
def test_what_no_row_becomes_is_refused_by_name_at_import(
    queries_of: Make, annotation: Any, expected: str
) -> None:
    query = queries_of("-- name: get\nselect 'a' as name, 1 as number;")

    def get() -> Any: ...

    get.__annotations__["return"] = annotation
    with pytest.raises(QueryDefinitionError, match=re.escape(expected)):
        query(file="q")(get)


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


@pytest.mark.parametrize(
    "sql",
    [
        "delete from shape returning 1",
        "with d as (delete from shape returning 1) select * from d",
        "with d as materialized (update shape set n = 2 returning n) select n from d",
        "insert into shape values (1) returning n",
    ],
)
def test_a_statement_that_writes_cannot_be_streamed(
    conn: Connection[Any], queries_of: Make, sql: str
) -> None:
    query = queries_of(f"-- name: get\n{sql};")

    @query(file="q")
    def get() -> list[int]: ...

    with pytest.raises(TypeError, match=r"q\.get writes, and a cursor only reads"):
        get.stream(conn)


def test_a_column_may_be_called_as_a_command_is(conn: Connection[Any], queries_of: Make) -> None:
    query = queries_of(
        "-- name: get\nselect (update), (delete) from (values (1, 2)) v (update, delete);"
    )

    @query(file="q")
    def get() -> list[Any]: ...

    assert not get.statement.writes


FLAG = "-- name: get\nselect 1 as n\nwhere true\n    and false  -- if :none\n;"


def test_a_line_of_a_flag_is_left_out_for_false(conn: Connection[Any], queries_of: Make) -> None:
    query = queries_of(FLAG)

    @query(file="q")
    def get(*, none: bool = False) -> list[int]: ...

    assert (get(conn), get(conn, none=False), get(conn, none=True)) == ([1], [1], [])
    wrong: list[Any] = [0, None]
    for value, rule in zip(wrong, ("must be a bool", "must not be None"), strict=True):
        with pytest.raises(ValidationError, match=f"none {rule}"):
            get(conn, none=value)


def test_a_line_of_a_flag_is_left_out_for_none_as_well(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(FLAG)

    @query(file="q")
    def get(*, none: bool | None = None) -> list[int]: ...

    assert (get(conn), get(conn, none=False), get(conn, none=True)) == ([1], [1], [])


def test_a_bool_that_is_sent_keeps_its_line_for_false(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(
        "-- name: get\nselect 1 as n\nwhere true\n    and :is_there  -- if :is_there\n;"
    )

    @query(file="q")
    def get(*, is_there: bool | None = None) -> list[int]: ...

    assert (get(conn), get(conn, is_there=False), get(conn, is_there=True)) == ([1], [], [1])


def test_a_mark_that_speaks_of_null_is_no_part_of_a_name(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of("""-- name: get\nselect 'a' as "name!", null::int as "number?";""")

    @query(file="q")
    def get() -> Pair: ...

    assert get(conn) == Pair("a", None)


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


def test_an_error_inside_a_dataclass_is_its_own(conn: Connection[Any], queries_of: Make) -> None:
    @dataclass
    class Strict:
        n: int

        def __post_init__(self) -> None:
            raise KeyError(self.n)

    query = queries_of("-- name: get\nselect 1 as n;")

    def get() -> Any: ...

    get.__annotations__["return"] = Strict
    with pytest.raises(KeyError):
        query(file="q")(get)(conn)


@pytest.mark.parametrize("columns", ["name, number", "*"])
@pytest.mark.parametrize("rows", ["1", "2"])
def test_a_result_of_another_shape_is_read_anew(
    conn: Connection[Any], queries_of: Make, columns: str, rows: str
) -> None:
    """The table behind a name may change: another one hides it, or is made in its place."""
    query = queries_of(f"-- name: pairs\nselect {columns} from shape;")

    @query(file="q")
    def pairs() -> list[Pair]: ...

    def shape(selected: str) -> None:
        conn.execute("drop table if exists shape")
        conn.execute(
            f"create temporary table shape as select {selected} from generate_series(1, {rows})"
        )

    shape("'a' as name, 1 as number")
    for _ in range(3):
        assert set(map(str, pairs(conn))) == {"Pair(name='a', number=1)"}
    shape("null::int as number, 'b' as name")
    assert set(map(str, pairs(conn))) == {"Pair(name='b', number=None)"}
    shape("'1' as number, 'b' as name")
    with pytest.raises(QueryDefinitionError, match=r"as text, but Pair.number is annotated int"):
        pairs(conn)


def test_columns_that_a_star_names_may_change_places(
    conn: Connection[Any], queries_of: Make
) -> None:
    @dataclass
    class Names:
        first: str
        last: str

    query = queries_of("-- name: names\nselect * from shape;")

    def names() -> Any: ...

    names.__annotations__["return"] = Names
    get = query(file="q")(names)
    for columns in ("'Ada' as first, 'Lovelace' as last", "'Lovelace' as last, 'Ada' as first"):
        conn.execute("drop table if exists shape")
        conn.execute(f"create temporary table shape as select {columns}")
        assert get(conn) == Names("Ada", "Lovelace")


def test_column_that_a_star_gained_is_passed_over(conn: Connection[Any], queries_of: Make) -> None:
    query = queries_of(
        "-- name: names\nselect * from shape;\n-- name: listed\nselect a, b from shape;"
    )

    def names() -> Any: ...
    def listed() -> Any: ...

    @dataclass
    class Row:
        a: int

    names.__annotations__["return"] = Row
    listed.__annotations__["return"] = Row
    conn.execute("create temporary table shape as select 1 as a, 'new' as b")

    assert query(file="q")(names)(conn) == Row(1)
    with pytest.raises(QueryDefinitionError, match="column b has no field"):
        query(file="q")(listed)(conn)
    conn.execute("alter table shape drop column a")
    with pytest.raises(QueryDefinitionError, match="field a has no column"):
        query(file="q")(names)(conn)


def test_the_connections_own_row_factory_does_not_matter(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(f"-- name: get\n{VALUES}")

    @query(file="q")
    def get(names: list[str]) -> Pair: ...

    conn.row_factory = dict_row
    conn.cursor_factory = psycopg.ClientCursor
    assert get(conn, ["a"]) == Pair("a", 1)


def test_a_connection_may_read_a_type_in_its_own_way(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of("-- name: get\nselect 1.5;")

    @query(file="q")
    def get() -> float: ...

    with pytest.raises(QueryDefinitionError, match="as numeric"):
        get(conn)
    conn.adapters.register_loader("numeric", FloatLoader)
    assert get(conn) == 1.5


def test_a_service_may_have_all_connections_read_a_type_in_its_own_way(
    shared_database_url: str, queries_of: Make
) -> None:
    query = queries_of("-- name: get\nselect 1.5;")

    @query(file="q")
    def get() -> float: ...

    before = psycopg.adapters.get_loader(NUMERIC, Format.TEXT)
    assert before
    psycopg.adapters.register_loader("numeric", FloatLoader)
    try:
        with psycopg.connect(shared_database_url) as own:
            assert get(own) == 1.5
    finally:
        psycopg.adapters.register_loader("numeric", before)
