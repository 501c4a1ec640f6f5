"""A small package of its own, as another project has one, and its tables."""

from __future__ import annotations

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


SQL = """\
-- name: list_orders
-- Orders of a mood, the newest first.
select
    id,
    title,
    mood
from orders
where
    true
    and mood = :mood  -- if :mood
order by id desc;

-- name: retitle
update orders set title = :title where id = :id;

-- name: put
insert into orders (id, title) values (:id, :title)
on conflict (id) do update set title = excluded.title;

-- name: tag
insert into "Tags" (name) values (:name) on conflict (lower(name)) where not "Old" do nothing;

-- name: load
copy orders (id, title) from stdin;
"""
PYTHON = """\
from dataclasses import dataclass
from pathlib import Path

from taskdb.query import Queries

query = Queries(Path(__file__).parent / "sql", name="shop")


@dataclass
class Order:
    id: int
    title: str
    mood: str | None


@query
def list_orders(*, mood: str | None = None) -> list[Order]: ...
@query
def retitle(*, id: int, title: str) -> int: ...
@query
def put(*, id: int, title: str) -> int: ...
@query
def tag(*, name: str) -> int: ...
@query
def load(*, id: int, title: str) -> int: ...
"""
SCHEMA = """
create table orders (id integer primary key, title text not null, mood text);
create table "Tags" (name text, "Old" boolean);
create unique index on "Tags" (lower(name)) where not "Old";
"""
