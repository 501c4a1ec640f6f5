"""Customers with their baskets, and the queries of a test on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import psycopg

from taskdb.query import Queries, Query
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


def findings(conn: Connection, query: Query[..., Any]) -> list[str]:
    return [each.message for each in contract.check(conn, [query])]
