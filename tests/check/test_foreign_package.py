"""A project of one's own, whose SQL `taskdb check` judges as a command, by its pyproject.toml.

What the planner refuses, what no row becomes, small traps, and a schema that the project's own
migrations make. Each package has its own tables, queries and classes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.command_line import environment
from tests.shop import Shop

SETTINGS = '[tool.taskdb]\npackages = ["shop"]\nurl = "$SHOP_URL"\nchecks = ["contract"]\n'


@pytest.fixture
def shop(tmp_path: Path, empty_database_url: str) -> Shop:
    made = Shop(tmp_path, empty_database_url, "")
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    return made


def fill(shop: Shop, schema: str, sql: str, python: str) -> None:
    """Write the project's tables, its queries, and the module of their functions."""
    with psycopg.connect(shop.url) as conn:
        conn.execute(schema.encode())
    shop.sql.write_text(sql)
    shop.module.write_text(python)


def found(shop: Shop) -> dict[str, list[str]]:
    """Run the check, and return its messages by the names of the queries."""
    done = shop.check("--json")
    messages: dict[str, list[str]] = {}
    assert done.err == ""
    for each in done.data["contract"]:
        messages.setdefault(each["query"].removeprefix("orders."), []).append(each["message"])
    assert done.status == bool(messages)
    return messages


def use(shop: Shop, program: str) -> list[str]:
    """Run a program of the project's against its database, and return what it prints."""
    head = "import os\nimport psycopg\nfrom shop import orders\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", head + program],
        cwd=shop.folder,
        env=environment({"SHOP_URL": shop.url}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


# Refusals of the planner

PLANNED_SCHEMA = """
create table customers (
    id integer generated always as identity primary key,
    mail text not null,
    shop integer not null,
    gone boolean not null default false
);
create unique index customers_mail on customers (shop, mail) where not gone;
create table orders (
    id integer generated always as identity primary key,
    customer_id integer references customers,
    span int4range not null
);
"""
PLANNED_SQL = """
-- name: add_without_index
insert into customers (shop, mail) values (1, :mail) on conflict (mail) do nothing;

-- name: add_without_its_condition
insert into customers (shop, mail) values (1, :mail)
on conflict (shop, mail) do update set gone = false;

-- name: add
insert into customers (shop, mail) values (1, :mail)
on conflict (shop, mail) where not gone do update set gone = false returning id;

-- name: lock_both
select c.mail from customers as c left join orders as o on o.customer_id = c.id
where c.shop = :shop
for update  -- if :lock
;

-- name: lock_one
select c.mail from customers as c left join orders as o on o.customer_id = c.id
where c.shop = :shop
for update of c skip locked  -- if :lock
;

-- name: overlapping
select a.id from orders as a full join orders as b on a.span && b.span;

-- name: lock_groups
select shop from customers group by shop
for update  -- if :lock
;
"""
PLANNED_PYTHON = """
from shop import query

@query
def add_without_index(*, mail: str) -> int: ...
@query
def add_without_its_condition(*, mail: str) -> int: ...
@query
def add(*, mail: str) -> int | None: ...
@query
def lock_both(*, shop: int, lock: bool = False) -> list[str]: ...
@query
def lock_one(*, shop: int, lock: bool = False) -> list[str]: ...
@query
def overlapping() -> list[int | None]: ...
@query
def lock_groups(*, lock: bool = False) -> list[int]: ...
"""


def test_what_the_planner_refuses_is_found_in_a_package_of_ones_own(shop: Shop) -> None:
    fill(shop, PLANNED_SCHEMA, PLANNED_SQL, PLANNED_PYTHON)

    messages = found(shop)

    assert set(messages) == {
        "add_without_index",
        "add_without_its_condition",
        "lock_both",
        "lock_groups",
        "overlapping",
    }
    (without,), (partial,) = messages["add_without_index"], messages["add_without_its_condition"]
    (both,), (groups,) = messages["lock_both"], messages["lock_groups"]
    (overlapping,) = messages["overlapping"]
    assert "no unique or exclusion constraint" in without
    assert "no unique or exclusion constraint" in partial
    assert "nullable side of an outer join" in both
    assert "FOR UPDATE is not allowed with GROUP BY" in groups
    assert "FULL JOIN is only supported" in overlapping
    program = (
        "with psycopg.connect(os.environ['SHOP_URL']) as conn:\n"
        "    print(orders.add(conn, mail='a'), orders.add(conn, mail='a'))\n"
        "    print(orders.lock_one(conn, shop=1, lock=True))\n"
    )
    assert use(shop, program) == ["1 1", "['a']"]


# Classes of rows

ROWS_SCHEMA = """
create table orders (id integer primary key, title text not null, note text);
insert into orders values (1, 'first', null), (2, 'second', 'x');
"""
ROWS_SQL = "".join(
    f"-- name: {name}\nselect id, title, note from orders where id = :id;\n\n"
    for name in ("as_dataclass", "as_tuple", "as_attrs", "as_pydantic", "as_msgspec")
)
ROWS_PYTHON = """
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import attrs
import msgspec
import pydantic

from shop import query

@dataclass(frozen=True, slots=True)
class Data:
    id: int
    title: str
    note: str | None

class Tuple(NamedTuple):
    id: int
    title: str
    note: str | None

@attrs.frozen
class Attrs:
    id: int
    title: str
    note: str | None

class Model(pydantic.BaseModel):
    id: int
    title: str
    note: str | None

class Struct(msgspec.Struct):
    id: int
    title: str
    note: str | None

@query
def as_dataclass(*, id: int) -> Data: ...
@query
def as_tuple(*, id: int) -> Tuple: ...
@query
def as_attrs(*, id: int) -> Attrs | None: ...
@query
def as_pydantic(*, id: int) -> Model: ...
@query
def as_msgspec(*, id: int) -> Struct: ...
"""


def test_rows_become_the_classes_that_people_use(shop: Shop) -> None:
    fill(shop, ROWS_SCHEMA, ROWS_SQL, ROWS_PYTHON)
    program = (
        "with psycopg.connect(os.environ['SHOP_URL']) as conn:\n"
        "    for name in 'dataclass', 'tuple', 'attrs', 'pydantic', 'msgspec':\n"
        "        row = getattr(orders, f'as_{name}')(conn, id=2)\n"
        "        print(type(row).__name__, row.id, row.title, row.note)\n"
        "    print(orders.as_attrs(conn, id=3))\n"
    )

    assert found(shop) == {}
    assert use(shop, program) == [
        *(f"{kind} 2 second x" for kind in ("Data", "Tuple", "Attrs", "Model", "Struct")),
        "None",
    ]


@pytest.mark.slow
def test_fields_of_each_class_are_compared_with_the_columns(shop: Shop) -> None:
    loose = ROWS_PYTHON.replace("    note: str | None\n", "    note: str\n    colour: int\n")
    fill(shop, ROWS_SCHEMA, ROWS_SQL, loose)

    messages = found(shop)

    assert set(messages) == {"as_dataclass", "as_tuple", "as_attrs", "as_pydantic", "as_msgspec"}
    for name, told in messages.items():
        assert any("note may be NULL" in each for each in told), (name, told)
        assert any("no column colour" in each for each in told), (name, told)


# Some of those that tests/query/results/test_classes.py has.
NO_ROWS = [
    ("Sequence[Data]", "return list[...]"),
    ("list[Typed]", "Typed is a TypedDict"),
    ("Page[int]", "Page[int] is generic"),
]


@pytest.mark.parametrize(("annotation", "rule"), NO_ROWS)
def test_what_no_row_becomes_is_refused_by_name_before_anything_runs(
    shop: Shop, annotation: str, rule: str
) -> None:
    python = (
        "from collections.abc import Sequence\nfrom dataclasses import dataclass\n"
        "from typing import Generic, TypedDict, TypeVar\nfrom shop import query\n"
        "T = TypeVar('T')\n"
        "@dataclass\nclass Data:\n    id: int\n"
        "class Typed(TypedDict):\n    id: int\n"
        "@dataclass\nclass Page(Generic[T]):\n    id: T\n"
        f"@query\ndef get() -> {annotation}: ...\n"
    )
    fill(shop, ROWS_SCHEMA, "-- name: get\nselect id from orders;\n", python)

    done = shop.check()

    assert (done.status, done.out) == (1, "")
    assert "shop/orders.py:" in done.err
    assert rule in done.err


# A schema that the project's own migrations make

MIGRATIONS = {
    "0001.orders.sql": "create table orders (id integer primary key, code text not null unique);\n",
    "0001.orders.rollback.sql": "drop table orders;\n",
    "0002.notes.sql": "alter table orders add column note text not null default '';\n",
    "0002.notes.rollback.sql": "alter table orders drop column note;\n",
}
BY_CODE = "-- name: by_code\nselect id, note from orders where code = :code;\n"
BY_CODE_PYTHON = """
from dataclasses import dataclass
from shop import query

@dataclass
class Order:
    id: int
    note: str

@query
def by_code(*, code: str) -> Order | None: ...
"""
# A migration, and what the contract says after it.
NEXT = [
    ("alter table orders alter column note drop not null;", "note may be NULL"),
    ("alter table orders alter column note type varchar(9);", None),
    ("alter table orders drop constraint orders_code_key;", "more than one row"),
    ("alter table orders rename column code to key;", 'column "code" does not exist'),
]


@pytest.mark.slow
@pytest.mark.parametrize(("migration", "expected"), NEXT)
def test_the_contract_is_checked_of_what_the_projects_own_migrations_make(
    shop: Shop, migration: str, expected: str | None
) -> None:
    folder = shop.folder / "migrations"
    folder.mkdir()
    for name, text in {**MIGRATIONS, "0003.next.sql": migration}.items():
        (folder / name).write_text(text)
    shop.sql.write_text(BY_CODE)
    shop.module.write_text(BY_CODE_PYTHON)
    # As the project's own tool applies them to the database that is checked.
    with psycopg.connect(shop.url) as conn:
        for path in sorted(folder.glob("*.sql")):
            if not path.name.endswith(".rollback.sql"):
                conn.execute(path.read_bytes())

    messages = found(shop)

    assert set(messages) == (set() if expected is None else {"by_code"})
    for told in messages.values():
        assert any(expected in each for each in told if expected), told
