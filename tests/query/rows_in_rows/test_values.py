"""Types inside nested rows are those of columns, and classes of all kinds take them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.range import Range

from taskdb.errors import QueryDefinitionError
from taskdb.query import Json, Naive
from tests.query.rows_in_rows.baskets import HOME, Address, Connection, Make, Mood, findings
from tests.query.rows_in_rows.test_checks import typed, with_field

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
