"""Nested rows are checked: names, order, types, NULLs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any, NamedTuple, get_args

import pytest

from taskdb.errors import QueryDefinitionError
from taskdb.query import Queries, Query
from tests.query.rows_in_rows.baskets import Address, Connection, Item, Make, findings


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


# Not for the type checkers, which take it for a variable.
ANY_ADDRESS: Any = IPv4Address | IPv4Interface | IPv6Address | IPv6Interface
# Values of types, with their annotations inside a row and inside JSON.
INSIDE: dict[str, tuple[str, Any, Any]] = {
    "smallint[]": ("{7}", list[int], list[int]),
    "integer[]": ("{7}", list[int], list[int]),
    "bigint[]": ("{7}", list[int], list[int]),
    "oid": ("7", int, str),
    "oid[]": ("{7}", list[int], list[str]),
    "numeric[]": ("{7.5}", list[Decimal], list[Decimal]),
    "inet": ("::1", ANY_ADDRESS, ANY_ADDRESS),
    "inet[]": ("{10.0.0.1,::1}", list[ANY_ADDRESS], list[ANY_ADDRESS]),
    "timetz": ("12:00+02", str, str),
    "timetz[]": ("{12:00+02}", list[str], list[str]),
}


@pytest.mark.parametrize("made", ["row(v)", "jsonb_build_object('v', v)"])
@pytest.mark.parametrize("of", INSIDE)
def test_a_value_inside_is_of_the_class_that_is_read(
    shop: Connection, make: Make, of: str, made: str
) -> None:
    value, in_row, in_json = INSIDE[of]
    right = in_row if made == "row(v)" else in_json
    sql = f"select {made} as c from (values ('{value}'::{of})) as t (v)"
    for annotation in {in_row, in_json, list[str], str}:
        q = typed(make(sql), with_field("c", with_field("v", annotation)))
        found = findings(shop, q)
        if annotation == right:
            assert found == []
        if not found:
            assert q(shop).c.v


# Arrays that a statement makes, and whether one of their items is NULL.
MADE_ARRAYS = {
    "(select array_agg(note order by id) from items)": True,
    "(select array_agg(title) from items)": False,
    "(select array_agg(note) filter (where note is not null) from items)": False,
    "(select array_agg(c.id) from items left join customers as c on c.id = items.id + 1)": True,
    "array(select note from items)": True,
    "array(select note from items where note is not null)": False,
    "array['a', (select note from items where id = 1)]": True,
    "array['a', (select max(title) from items where false)]": True,
    "array['a', coalesce((select note from items where id = 1), '')]": False,
    "coalesce((select array_agg(note) from items), '{}')": True,
    "(select array_agg(id) from items)": False,
    "'{a,null}'::text[]": False,  # NULL in a constant or a table is seen at run.
}


@pytest.mark.parametrize("made", MADE_ARRAYS)
def test_an_array_that_is_made_of_what_may_be_null_may_hold_it(
    shop: Connection, make: Make, made: str
) -> None:
    holds_null = MADE_ARRAYS[made]
    of = int if "agg(id" in made or "c.id" in made else str
    rows: Any = list
    sql = f"select coalesce({made}, '{{}}') as names"
    sure = typed(make(sql), with_field("names", rows[of]))
    unsure = typed(make(sql), with_field("names", rows[of | None]))

    found = findings(shop, sure)
    assert [each.partition("(")[0] for each in found] == (
        ["the items of column names may be NULL "] if holds_null else []
    )
    assert findings(shop, unsure) == []
    assert (None in unsure(shop).names) == (holds_null or "null}" in made)


# Items that a statement makes, with annotations that they have, and some that they have not.
ITEMS_OF: dict[str, tuple[list[Any], list[Any]]] = {
    "jsonb_agg(id)": ([list[int], list[float], list[Any]], [list[str], list[list[int]]]),
    "json_agg(title)": ([list[str]], [list[int], list[dict[str, Any]]]),
    "jsonb_agg(price)": ([list[float]], [list[str]]),
    "jsonb_agg(i)": ([list[dict[str, Any]], list[Item]], [list[int], list[str]]),
    "jsonb_agg(now())": ([list[str]], [list[int]]),
    "jsonb_agg(array[id, 1])": ([list[list[int]]], [list[int], list[list[str]]]),
    "jsonb_agg(to_jsonb(id))": ([list[int]], []),
    "to_jsonb(array_agg(array[id, 1]))": ([list[list[int]]], [list[int]]),
    "array_agg(id)": ([list[int]], [list[list[int]]]),
    "array_agg(array[id, 1])": ([list[list[int]]], [list[int], list[list[list[int]]]]),
    "array_agg(array[title])": ([list[list[str]]], [list[str]]),
    "array[array[max(id)], array[1]]": ([list[list[int]]], [list[int]]),
    "array(select array[1, 2])": ([list[list[int]]], [list[int]]),
}


@pytest.mark.parametrize("made", ITEMS_OF)
@pytest.mark.parametrize("inside", [False, True])
def test_items_that_a_statement_makes_are_checked(
    shop: Connection, make: Make, made: str, inside: bool
) -> None:
    right, wrong = ITEMS_OF[made]
    rows: Any = list
    value = f"jsonb_build_object('v', {made})" if inside else made
    sql = f"select {value} as c from items as i group by i.customer_id"
    for annotation in [*right, *wrong]:
        if not (inside and Any in get_args(annotation)):
            held = with_field("v", annotation) if inside else annotation
            q = typed(make(sql), rows[with_field("c", held)])
            found = findings(shop, q)
            assert ["annotated" in each for each in found] == (
                [] if annotation in right else [True]
            )
            if annotation in right:
                assert q(shop)[0].c


class Raw(NamedTuple):
    one: dict[str, Any]
    all: list[dict[str, Any]]
    at: str
    home: dict[str, Any] | None


def test_json_of_a_row_may_be_read_for_what_it_is(shop: Connection, make: Make) -> None:
    query = make(
        "select jsonb_build_object("
        "'one', c, 'all', array_agg(c), 'at', now(), 'home', c.home) as c "
        "from customers as c where id = 1 group by c.id"
    )
    q = typed(query, with_field("c", Raw))

    assert findings(shop, q) == []
    raw = q(shop).c
    assert raw.all == [raw.one]
    assert raw.one["home"] == raw.home
