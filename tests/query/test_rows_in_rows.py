"""Rows in rows: composites and JSON objects in a column become classes, arrays lists of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import msgspec
import psycopg
import pydantic
import pytest
from psycopg import AsyncConnection
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.range import Range

from taskdb.errors import QueryDefinitionError, ValidationError
from taskdb.query import Json, Naive, Queries, Query
from taskdb.query.check import contract

Connection = psycopg.Connection[Any]
Make = Callable[[str], Queries]

SCHEMA = """
create type mood as enum ('good', 'so, "so"');
create type address as (street text, number integer);
create domain amount as numeric check (value >= 0);
create table customers (id integer primary key, name text not null, home address);
create table items (
    id integer primary key,
    customer_id integer not null references customers,
    title text not null,
    price amount not null,
    note text
);
insert into customers values (1, 'Ada', ('Long "Road", \\ (north)', 7)), (2, 'Grace', null);
insert into items values
    (1, 1, 'a, "b" (c) \\', 12345678901234567890.123456789, null),
    (2, 1, '', 2, 'so');
"""


class Mood(StrEnum):
    GOOD = "good"
    SO_SO = 'so, "so"'


@dataclass(slots=True)
class Address:
    street: str | None
    number: int | None


@dataclass(slots=True)
class Item:
    id: int
    customer_id: int
    title: str
    price: Decimal
    note: str | None


@dataclass(slots=True)
class Customer:
    id: int
    name: str
    home: Address | None


@dataclass(slots=True)
class Basket:
    name: str
    items: list[Item]


ITEMS = [
    Item(1, 1, 'a, "b" (c) \\', Decimal("12345678901234567890.123456789"), None),
    Item(2, 1, "", Decimal(2), "so"),
]
HOME = Address('Long "Road", \\ (north)', 7)


@pytest.fixture
def shop(conn: Connection) -> Connection:
    """A connection with the shop's tables, in a transaction that is rolled back."""
    conn.execute("create schema rows_in_rows")
    conn.execute("set local search_path = rows_in_rows")
    conn.execute(SCHEMA)
    return conn


@pytest.fixture
async def ashop(aconn: AsyncConnection[Any]) -> AsyncConnection[Any]:
    await aconn.execute("create schema rows_in_rows")
    await aconn.execute("set local search_path = rows_in_rows")
    await aconn.execute(SCHEMA)
    return aconn


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a statement named `q` to `q.sql` and return its decorator."""

    def made(sql: str) -> Queries:
        (tmp_path / "q.sql").write_text(f"-- name: q\n{sql};\n")
        return Queries(tmp_path, label="sql")

    return made


def findings(conn: Connection, query: Query[..., Any]) -> list[str]:
    return [each.message for each in contract.check(conn, [query])]


# One-to-many in one statement

OF_ITEMS = {
    "array_agg of rows": "array_agg(i order by i.id) filter (where i.id is not null), '{}'",
    "json_agg of rows": "json_agg(i order by i.id) filter (where i.id is not null), '[]'",
    "jsonb_agg of rows": "jsonb_agg(i order by i.id) filter (where i.id is not null), '[]'",
    "jsonb_agg of to_jsonb": "jsonb_agg(to_jsonb(i) order by i.id) filter (where i.id > 0), '[]'",
    "jsonb_agg of objects": "jsonb_agg(jsonb_build_object('id', i.id, 'customer_id', "
    "i.customer_id, 'title', i.title, 'price', i.price, 'note', i.note) order by i.id) "
    "filter (where i.id is not null), '[]'",
    "array_agg of row()": "array_agg(row(i.id, i.customer_id, i.title, i.price, i.note) "
    "order by i.id) filter (where i.id is not null), array[]::record[]",
}


@pytest.mark.parametrize("form", OF_ITEMS)
def test_one_to_many_is_a_list_of_rows(shop: Connection, make: Make, form: str) -> None:
    query = make(
        f"select c.name, coalesce({OF_ITEMS[form]}) as items\n"
        "from customers as c left join items as i on i.customer_id = c.id\n"
        "group by c.id, c.name order by c.id"
    )

    @query(file="q")
    def q() -> list[Basket]: ...

    assert q(shop) == [Basket("Ada", ITEMS), Basket("Grace", [])]
    assert findings(shop, q) == []


def test_a_subquery_gives_the_list(shop: Connection, make: Make) -> None:
    query = make(
        "select c.name, array(select i from items as i where i.customer_id = c.id order by i.id)"
        " as items from customers as c order by c.id"
    )

    @query(file="q")
    def q() -> list[Basket]: ...

    assert q(shop) == [Basket("Ada", ITEMS), Basket("Grace", [])]
    assert findings(shop, q) == []


async def test_one_statement_serves_all_rows(
    ashop: AsyncConnection[Any], make: Make, tmp_path: Path
) -> None:
    query = make(
        "select c.name, array(select i from items as i where i.customer_id = c.id) as items\n"
        "from generate_series(1, 50) as n, customers as c"
    )

    @query(file="q")
    def q() -> list[Basket]: ...

    with (tmp_path / "sent").open("w") as file:
        ashop.pgconn.trace(file.fileno())
        rows = await q(ashop)
        ashop.pgconn.untrace()

    assert len(rows) == 100
    sent = (tmp_path / "sent").read_text()
    assert sent.count("\tExecute\t") + sent.count("\tQuery\t") == 1


BASKETS = """select c.name, array_agg(i order by i.id) as items
from customers as c inner join items as i on i.customer_id = c.id
where c.id = :id group by c.id, c.name"""


def test_every_way_to_call_gives_rows_in_rows(shop: Connection, make: Make) -> None:
    query = make(BASKETS)

    @query(file="q")
    def q(*, id: int) -> list[Basket]: ...

    assert q(shop, id=1) == [Basket("Ada", ITEMS)]
    assert list(q.stream(shop, id=1)) == [Basket("Ada", ITEMS)]
    assert q.batch(shop, [{"id": 1}, {"id": 2}]) == [[Basket("Ada", ITEMS)], []]


async def test_every_way_to_await_gives_rows_in_rows(
    ashop: AsyncConnection[Any], make: Make
) -> None:
    query = make(BASKETS.replace("array_agg", "jsonb_agg"))

    @query(file="q")
    def q(*, id: int) -> list[Basket]: ...

    assert await q(ashop, id=1) == [Basket("Ada", ITEMS)]
    assert [each async for each in q.stream(ashop, id=1)] == [Basket("Ada", ITEMS)]
    assert await q.batch(ashop, [{"id": 1}, {"id": 2}]) == [[Basket("Ada", ITEMS)], []]


@dataclass(slots=True)
class Sale:
    id: int
    buyer: Customer | None


@dataclass(slots=True)
class SureSale:
    id: int
    buyer: Customer


def test_one_row_and_at_most_one(shop: Connection, make: Make) -> None:
    query = make("select c as buyer, c.id from customers as c where c.id = :id")

    @query(file="q")
    def q(*, id: int) -> SureSale | None: ...

    assert q(shop, id=1) == SureSale(1, Customer(1, "Ada", HOME))
    assert q(shop, id=3) is None
    assert findings(shop, q) == []


# One row in a column

BUYER = """select i.id, c as buyer from items as i
left join customers as c on c.id = i.customer_id and i.id < 2 order by i.id"""


def test_the_nullable_side_of_a_join_is_none(shop: Connection, make: Make) -> None:
    query = make(BUYER)

    @query(file="q")
    def q() -> list[Sale]: ...

    assert q(shop) == [Sale(1, Customer(1, "Ada", HOME)), Sale(2, None)]
    assert findings(shop, q) == []


def test_the_nullable_side_of_a_join_must_be_optional(shop: Connection, make: Make) -> None:
    query = make(BUYER)

    @query(file="q")
    def q() -> list[SureSale]: ...

    assert findings(shop, q) == [
        "column buyer may be NULL (c.* is on the side of an outer join that may have no match), "
        "but SureSale.buyer is annotated Customer"
    ]
    with pytest.raises(QueryDefinitionError, match=r"NULL in column buyer of row 2, but SureSale"):
        q(shop)


def test_a_row_that_is_always_there_needs_no_none(shop: Connection, make: Make) -> None:
    query = make(BUYER.replace("left", "inner"))

    @query(file="q")
    def q() -> list[Sale]: ...

    assert findings(shop, q) == [
        "column buyer is never NULL, in any query that returns Sale, but Sale.buyer takes None"
    ]


# Nested rows are checked: names, order, types, NULLs


class Few(NamedTuple):
    id: int
    name: str


class Swapped(NamedTuple):
    name: str
    id: int
    home: Address | None


class Other(NamedTuple):
    id: int
    title: str
    home: Address | None


class Numbered(NamedTuple):
    id: int
    name: int
    home: Address | None


class Sure(NamedTuple):
    id: int
    name: str
    home: Address


class SureAddress(NamedTuple):
    street: str
    number: int | None


class Deep(NamedTuple):
    id: int
    name: str
    home: SureAddress | None


class Options(NamedTuple):
    id: int
    name: str | None
    home: Address | None


WRONG: dict[str, tuple[Any, str, str]] = {
    "few": (
        Few,
        "column c has 3 fields (id, name, home), which Few (id, name) does not fit",
        "a row with 3 fields in column c of row 1, which does not fit Few (id, name)",
    ),
    "swapped": (
        Swapped,
        "column c has its fields in another order (id, name, home), which Swapped (name, id, home)"
        " does not fit",
        "'Ada' in column c.id of row 1, which is no int",
    ),
    "other": (
        Other,
        "column c has the fields id, name, home, which Other (id, title, home) does not fit",
        "",
    ),
    "type": (
        Numbered,
        "column c.name is text, Numbered.name is annotated int",
        "'Ada' in column c.name of row 1, which is no int",
    ),
    "null": (
        Sure,
        "column c.home may be NULL (c.home is a nullable column), but Sure.home is annotated "
        "Address",
        "NULL in column c.home of row 2, but Sure.home is not Optional",
    ),
    "null in a stored composite": (
        Deep,
        "column c.home.street may be NULL (the fields of a stored composite may be NULL), but "
        "SureAddress.street is annotated str",
        "",
    ),
    "never null": (
        Options,
        "column name is never NULL, in any query that returns Options, but Options.name takes None",
        "",
    ),
}


def typed(query: Queries, returns: Any) -> Query[..., Any]:
    """Make the query of a stub that returns what the test says."""

    def q() -> Any: ...

    q.__annotations__["return"] = returns
    return query(file="q")(q)


def with_field(name: str, annotation: Any) -> Any:
    """Return a dataclass with one field."""
    return dataclasses.make_dataclass("Row", [(name, annotation)])


@pytest.mark.parametrize("case", WRONG)
def test_what_is_inside_is_checked_and_read_alike(shop: Connection, make: Make, case: str) -> None:
    cls, found, raised = WRONG[case]
    rows: Any = list
    q = typed(make("select c from customers as c order by c.id"), rows[with_field("c", cls)])

    assert findings(shop, q) == [found]
    if raised:
        with pytest.raises(QueryDefinitionError) as caught:
            q(shop)
        assert f"q.q returned {raised}" in str(caught.value)
    else:
        assert len(q(shop)) == 2


@dataclass(slots=True)
class Listed:
    items: list[Item]


@pytest.mark.parametrize("aggregate", ["array_agg", "jsonb_agg"])
def test_a_list_of_no_match_holds_null(shop: Connection, make: Make, aggregate: str) -> None:
    query = make(
        f"select {aggregate}(i order by i.id) as items from customers as c\n"
        "left join items as i on i.customer_id = c.id group by c.id order by c.id"
    )

    @query(file="q")
    def q() -> list[Listed]: ...

    (message,) = findings(shop, q)
    assert message.startswith("the items of column items may be NULL (i.* is on the side of")
    with pytest.raises(QueryDefinitionError, match=r"NULL in column items\[0\] of row 2, but the"):
        q(shop)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("jsonb_build_object('street', 'x')", "column home has the keys street, which Address"),
        (
            "jsonb_build_object('street', 7, 'number', 7)",
            "column home.street is integer, Address.",
        ),
        (
            "jsonb_build_object('street', 'x', 'number', '7'::text)",
            "column home.number is text, Address",
        ),
        ("row('x', 7, 7)", "column home has 3 fields, which Address (street, number) does not fit"),
        ("row('x', now())", "column home.number is timestamp with time zone, Address.number is"),
        ("7", "column home is integer, Row.home is annotated Address"),
        ("array[('x', 7)::address]", "column home is address[], Row.home is annotated Address"),
    ],
)
def test_what_a_statement_makes_is_checked(
    shop: Connection, make: Make, sql: str, found: str
) -> None:
    q = typed(make(f"select {sql} as home"), with_field("home", Address))

    messages = findings(shop, q)
    assert [each for each in messages if each.startswith(found)], messages
    with pytest.raises(QueryDefinitionError):
        q(shop)


# Types inside


class Document(TypedDict):
    a: int


class Everything(NamedTuple):
    flag: bool
    small: int
    big: int
    real: float
    exact: Decimal
    whole: int
    text: str
    odd: str
    key: UUID
    day: date
    at: time
    moment: datetime
    naive: Annotated[datetime, Naive()]
    span: timedelta
    data: bytes
    mood: Mood
    word: Literal["good", 'so, "so"']
    numbers: list[int]
    grid: list[list[int]]
    words: list[str]
    maybe: list[str | None]
    moods: list[Mood]
    document: Document
    anything: Annotated[Any, Json()]
    documents: list[dict[str, Any]]
    address: IPv4Address
    days: Range[date]
    home: Address
    homes: list[Address]


EVERYTHING = r"""
create type everything as (
    flag boolean, small smallint, big bigint, "real" float8, exact numeric, whole numeric,
    text text, odd text, key uuid, day date, at time, moment timestamptz, naive timestamp,
    span interval, data bytea, mood mood, word mood, numbers integer[], grid integer[],
    words text[], maybe text[], moods mood[], document jsonb, anything json, documents jsonb,
    address inet, days daterange, home address, homes address[]
);
create table of_everything (e everything not null);
insert into of_everything values ((
    true, -7, 9223372036854775807, 'Infinity', 0.12345678901234567890123, 70.0, '',
    E'a"b\\c,(d)\n ''', '0190163d-8694-739b-aea5-966c26f8ad91', '2030-01-01', '12:00:00.5',
    '2030-01-01 12:00+02', '2030-01-01 12:00', '1 day 02:00', '\x00ff', 'good', 'so, "so"',
    '{1,2}', '{{1,2},{3,4}}', E'{"a, \\"b\\"","(c)",""}', '{NULL,"NULL"}',
    E'{good,"so, \\"so\\""}', '{"a": 1}', '[1.5, null]', '[{"b": 1.5}]', '10.0.0.1',
    '[2030-01-01,2030-01-02)', ('x', null), array[('y,"', 1)::address]
));
"""
EXPECTED = Everything(
    flag=True,
    small=-7,
    big=9223372036854775807,
    real=float("inf"),
    exact=Decimal("0.12345678901234567890123"),
    whole=70,
    text="",
    odd="a\"b\\c,(d)\n '",
    key=UUID("0190163d-8694-739b-aea5-966c26f8ad91"),
    day=date(2030, 1, 1),
    at=time(12, 0, 0, 500000),
    moment=datetime(2030, 1, 1, 10, tzinfo=UTC),
    naive=datetime(2030, 1, 1, 12),
    span=timedelta(days=1, hours=2),
    data=b"\x00\xff",
    mood=Mood.GOOD,
    word='so, "so"',
    numbers=[1, 2],
    grid=[[1, 2], [3, 4]],
    words=['a, "b"', "(c)", ""],
    maybe=[None, "NULL"],
    moods=[Mood.GOOD, Mood.SO_SO],
    document={"a": 1},
    anything=[1.5, None],
    documents=[{"b": 1.5}],
    address=IPv4Address("10.0.0.1"),
    days=Range(date(2030, 1, 1), date(2030, 1, 2)),
    home=Address("x", None),
    homes=[Address('y,"', 1)],
)


@dataclass(slots=True)
class Held:
    e: Everything


@pytest.mark.parametrize("sql", ["e", "to_json(e)", "to_jsonb(e)"])
def test_types_inside_are_those_of_columns(shop: Connection, make: Make, sql: str) -> None:
    shop.execute(EVERYTHING)
    query = make(f"select {sql} as e from of_everything")

    @query(file="q")
    def q() -> list[Held]: ...

    (held,) = q(shop)
    assert held.e == EXPECTED
    assert [type(each) for each in held.e] == [type(each) for each in EXPECTED]
    # A stored composite says of no field that it is never NULL; nothing else is found.
    assert [each for each in findings(shop, q) if "the fields of a stored" not in each] == []


class Day(NamedTuple):
    day: date


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY", "ISO"])
def test_dates_inside_are_read_as_the_session_writes_them(
    shop: Connection, make: Make, style: str
) -> None:
    shop.execute("select set_config('datestyle', $1, true)", [style])
    q = typed(make("select row('2030-02-01'::date) as day"), with_field("day", Day))

    assert q(shop).day == Day(date(2030, 2, 1))


@pytest.mark.parametrize("sql", ["row('infinity'::date)", "jsonb_build_object('day', 'infinity')"])
def test_what_python_cannot_hold_is_named(shop: Connection, make: Make, sql: str) -> None:
    q = typed(make(f"select {sql} as day"), with_field("day", Day))

    with pytest.raises(QueryDefinitionError, match=r"'infinity' in column day.day of row 1, which"):
        q(shop)


# Classes of all kinds


@attrs.frozen
class WithAttrs:
    street: str | None
    number: int | None


class WithMsgspec(msgspec.Struct):
    street: str | None
    number: int | None


class WithPydantic(pydantic.BaseModel):
    street: str | None
    number: int | None


@dataclass
class WithKeywords:
    street: str | None
    _: KW_ONLY
    number: int | None


@pytest.mark.parametrize("cls", [WithAttrs, WithMsgspec, WithPydantic, WithKeywords])
@pytest.mark.parametrize("sql", ["home", "to_jsonb(home)"])
def test_rows_inside_become_classes_of_all_kinds(
    shop: Connection, make: Make, cls: Any, sql: str
) -> None:
    q = typed(
        make(f"select {sql} as home from customers where id = 1"), with_field("home", cls | None)
    )

    assert q(shop).home == cls(street=HOME.street, number=7)
    assert findings(shop, q) == []


class Strict(msgspec.Struct):
    street: str | None
    number: int | None

    def __post_init__(self) -> None:
        raise ArithmeticError("not on this road")


def test_a_class_that_refuses_a_row_is_heard(shop: Connection, make: Make) -> None:
    q = typed(make("select home from customers where id = 1"), with_field("home", Strict | None))

    with pytest.raises(ArithmeticError, match="not on this road"):
        q(shop)


def test_a_composite_that_psycopg_knows_is_read_as_well(shop: Connection, make: Make) -> None:
    info = CompositeInfo.fetch(shop, "address")
    assert info is not None
    register_composite(info, shop)
    query = make("select array_agg(home) as homes, min(id) as id from customers where id = 1")
    q = typed(query, with_field("homes", list[Address]))

    with pytest.raises(QueryDefinitionError, match="column id has no field"):
        q(shop)
    q = typed(make("select array_agg(home) as homes from customers where id = 1"), list[Homes])
    assert q(shop) == [Homes([HOME])]


class Homes(NamedTuple):
    homes: list[Address]


# Refused when the query is made


class Unclear(NamedTuple):
    value: int | str


class Untyped(NamedTuple):
    value: Any


class Pairs(NamedTuple):
    value: tuple[int, int]


class Bare(NamedTuple):
    value: list  # type: ignore[type-arg]


class Tree(NamedTuple):
    value: int
    children: list[Tree]


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Unclear, r"Row.inner.value may be one of several types \(int \| str\)"),
        (Untyped, r"Row.inner.value is annotated Any, which is not read from inside a column"),
        (Pairs, r"Row.inner.value is annotated tuple\[int, int\], which is not read"),
        (Bare, r"Row.inner.value does not say what is in the list"),
        (Tree, r"Row.inner.children\[\] holds Tree in itself"),
    ],
)
def test_what_cannot_be_read_is_refused_when_the_query_is_made(
    make: Make, cls: type, message: str
) -> None:
    with pytest.raises(QueryDefinitionError, match=message):
        typed(make("select 1 as inner"), with_field("inner", cls))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"street": "x"}', "a row with the keys street in column home of row 1"),
        ("7", "7 in column home of row 1, which is no Address"),
        ('{"street": 7, "number": 7}', "7 in column home.street of row 1, which is no str"),
        ('{"street": null, "number": 7.5}', "7.5 in column home.number of row 1, which is no"),
        ('{"street": null, "number": true}', "True in column home.number of row 1"),
    ],
)
def test_a_document_of_another_shape_is_named(
    shop: Connection, make: Make, text: str, problem: str
) -> None:
    q = typed(make(f"select '{text}'::jsonb as home"), with_field("home", Address))

    with pytest.raises(QueryDefinitionError) as caught:
        q(shop)
    assert f"q.q returned {problem}" in str(caught.value)
    # Only the reader of a stored document sees its content.
    assert findings(shop, q) == []


# Columns that are keywords of Python


class Keyed(NamedTuple):
    class_: str
    from_: int | None


class Lesson(NamedTuple):
    class_: str
    slot: Keyed


@pytest.mark.parametrize("sql", ["k", "to_jsonb(k)"])
def test_a_column_that_is_a_keyword_has_a_field_with_an_underscore(
    shop: Connection, make: Make, sql: str
) -> None:
    shop.execute('create table k ("class" text not null, "from" integer)')
    shop.execute("insert into k values ('a', 1)")
    query = make(f'select k."class", {sql} as slot from k')

    @query(file="q")
    def q() -> list[Lesson]: ...

    assert q(shop) == [Lesson("a", Keyed("a", 1))]
    assert findings(shop, q) == []


# Rows of a batch that type checkers see


def test_a_row_of_a_batch_is_made_like_a_call(shop: Connection, make: Make) -> None:
    query = make("select :n::integer + 1")

    @query(file="q")
    def q(*, n: int) -> int: ...

    assert q.batch(shop, [q.row(n=1), {"n": 2}]) == [2, 3]
    with pytest.raises(ValidationError, match="n must be"):
        q.row(n="1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'n'"):
        q.row()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"a row of other.q is none of q.q"):
        q.batch(shop, [dataclasses.replace(q.row(n=1), query="other.q")])
