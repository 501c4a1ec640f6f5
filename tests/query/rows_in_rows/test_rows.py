"""Rows whose fields are rows: one-to-many in one statement, and one row in a column."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from psycopg import AsyncConnection

from taskdb.errors import QueryDefinitionError, ValidationError
from tests.query.rows_in_rows.baskets import (
    HOME,
    ITEMS,
    Basket,
    Connection,
    Customer,
    Make,
    findings,
)

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
