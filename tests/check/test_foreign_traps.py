"""Small traps of SQL and of values, met in a project of one's own: found, or gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.test_foreign_package import SETTINGS, fill, found, use
from tests.shop import Shop

SCHEMA = """
create table orders (
    id integer generated always as identity primary key,
    title text not null,
    doc jsonb not null default 'null',
    opens time not null default '08:00',
    day date not null default '2030-01-01'
);
"""
SQL = """
-- name: list_open
select title from orders
where true
    and title <> 'closed'  -- if :only_open
order by id;

-- name: sorted_by_nothing
select title from orders order by :by;

-- name: sorted
select title from orders
order by
    title desc,  -- if :by = title
    id;

-- name: clear
delete from orders
where true
    and title = :title  -- if :title
;

-- name: clear_all
-- every row: the end of a day
delete from orders
where true
    and title = :title  -- if :title
;

-- name: rename_all
update orders set title = upper(title)
where id = :id  -- if :id
;

-- name: those
select id from orders where id = any(:ids) order by id;

-- name: each_title
insert into orders (title) select t from unnest(:titles::text[]) as t;

-- name: echo
select t from unnest(:titles::text[]) as t;

-- name: docs
select doc from orders order by id;

-- name: optional_docs
select doc from orders order by id;

-- name: take_all
delete from orders returning title;

-- name: opening
update orders set opens = :opens where id = :id returning opens;

-- name: days
select :day::text::date as day;
"""
PYTHON = """
from datetime import date, time
from typing import Any, Literal

from shop import query

@query
def list_open(*, only_open: bool = False) -> list[str]: ...
@query
def sorted_by_nothing(*, by: str) -> list[str]: ...
@query
def sorted(*, by: Literal["title"] | None = None) -> list[str]: ...
@query
def clear(*, title: str | None = None) -> int: ...
@query
def clear_all(*, title: str | None = None) -> int: ...
@query
def rename_all(*, id: int | None = None) -> int: ...
@query
def those(*, ids: list[int]) -> list[int]: ...
@query
def each_title(*, titles: list[str]) -> int: ...
@query
def echo(*, titles: list[str]) -> list[str]: ...
@query
def docs() -> list[dict[str, Any]]: ...
@query
def optional_docs() -> list[dict[str, Any] | None]: ...
@query
def take_all() -> list[str]: ...
@query
def opening(*, id: int, opens: time) -> time | None: ...
@query
def days(*, day: str) -> date: ...
"""


@pytest.fixture
def shop(tmp_path: Path, empty_database_url: str) -> Shop:
    made = Shop(tmp_path, empty_database_url, "")
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    fill(made, SCHEMA, SQL, PYTHON)
    return made


@pytest.mark.slow
def test_traps_in_the_sql_are_findings(shop: Shop) -> None:
    messages = found(shop)

    assert {name: len(told) for name, told in messages.items()} == {
        "sorted_by_nothing": 1,
        "clear": 1,
        "rename_all": 1,
    }
    assert "order by :by sorts by nothing" in messages["sorted_by_nothing"][0]
    assert "writes to every row when :title is left out" in messages["clear"][0]
    assert "writes to every row when :id is left out" in messages["rename_all"][0]


PROGRAM = """
from datetime import time, timezone

def told(call, *arguments, **named):
    try:
        return call(*arguments, **named)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

with psycopg.connect(os.environ["SHOP_URL"]) as conn:
    orders.each_title(conn, titles=["b", "closed", "a"])
    print(orders.list_open(conn, only_open=False), orders.list_open(conn, only_open=True))
    print(orders.sorted(conn), orders.sorted(conn, by="title"))
    print(orders.those(conn, ids=[1, 3]), told(orders.those, conn, ids=[1, None]))
    print(told(orders.echo, conn, titles=["a", None]))
    print(told(orders.docs, conn))
    print(orders.optional_docs(conn))
    print(told(orders.take_all.stream, conn))
    print(orders.opening(conn, id=1, opens=time(9)))
    print(told(orders.opening, conn, id=1, opens=time(9, tzinfo=timezone.utc)))
    for day in "2030-01-02", "infinity", "0044-03-15 BC":
        print(told(orders.days, conn, day=day))
    conn.execute("update orders set opens = '24:00' where id = 1")
    print(orders.clear_all(conn))
"""
PRINTED = [
    "['b', 'closed', 'a'] ['b', 'a']",
    "['b', 'closed', 'a'] ['closed', 'b', 'a']",
    "[1, 3] ValidationError: ids[1] must be an int, not NoneType",
    "ValidationError: titles[1] must be a str, not NoneType",
    # JSON's null is no NULL to the check, and yet psycopg returns None for both.
    "QueryDefinitionError: shop/sql/orders.sql:",
    "[None, None, None]",
    "TypeError: orders.take_all writes, and a cursor only reads",
    "09:00:00",
    "ValidationError: opens ",
    "2030-01-02",
    "QueryDefinitionError: ",
    "QueryDefinitionError: ",
    "3",
]


def test_traps_in_values_are_refused_by_name(shop: Shop) -> None:
    printed = use(shop, PROGRAM)

    assert len(printed) == len(PRINTED), printed
    for line, expected in zip(printed, PRINTED, strict=True):
        assert line.startswith(expected), (line, expected)
    # A message names the column and the value.
    named = {number: printed[number] for number in (4, 8, 10, 11)}
    assert "orders.docs returned JSON's null, or NULL, in column doc" in named[4]
    assert "zone" in named[8]
    assert "infinity" in named[10]
    assert "BC" in named[11]
