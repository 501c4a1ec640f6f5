"""Types that a package names once: generated, demanded by the check, and read and sent by them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from taskdb.query import Queries
from taskdb.query.check import contract
from taskdb.query.check.generating import StubModule, generated
from taskdb.query.errors import QueryDefinitionError, ValidationError
from taskdb.testing.databases import Databases

SCHEMA = """
create domain email as text check (value like '%@%');
create table customers (id int primary key, mail email not null unique, name text not null);
create table orders (
    id integer primary key,
    mail email not null,
    total numeric not null,
    weight numeric(8, 3),
    address jsonb not null,
    notes jsonb,
    class text
);
"""
TYPES = """\
from dataclasses import dataclass
from decimal import Decimal
from typing import NewType, NotRequired, TypedDict

Email = NewType("Email", str)


@dataclass(slots=True)
class Address:
    street: str
    price: Decimal


class Note(TypedDict):
    text: str
    stars: NotRequired[int | None]
"""
PACKAGE = """\
from decimal import Decimal
from pathlib import Path

from taskdb.query import Queries

from overridden.types import Address, Email, Note

query = Queries(
    Path(__file__).parent,
    types={
        "numeric": int,
        "orders.weight": Decimal,
        "email": Email,
        "public.orders.address": Address,
        "orders.notes": list[Note],
    },
)
"""
SQL = """\
-- name: add
insert into orders (id, mail, total, weight, address, notes, class)
values (:id, :mail, :total, :weight, :address, :notes, :class);

-- name: move
update orders set address = :address where id = :id;

-- name: move_text
update orders set address = :address::text::jsonb where id = :id;

-- name: put
insert into orders (id, mail, total, address) values (:id, :mail, :total, :address)
on conflict (id) do update set notes = :notes;

-- name: get
select id, mail, total, weight, address, notes, class from orders where id = :id;

-- name: of_customer
select array_agg(total order by id) as totals, max(mail)::email as mail
from orders
where mail = :mail and class = :class;

-- name: with_customer
select c.id, array_agg(o.* order by o.id) filter (where o.id is not null) as orders
from customers as c left join orders as o on o.mail = c.mail
group by c.id;

-- name: load
copy orders (id, mail, total, address, class) from stdin;
"""


@pytest.fixture(scope="module")
def database(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    with databases.connection(SCHEMA) as conn:
        yield conn


@pytest.fixture
def conn(database: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    with database.transaction(force_rollback=True):
        yield database


class Package:
    """The package `overridden` in *folder*, imported anew at each call of `queries`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "overridden"
        self.folder.mkdir()
        self.module = self.folder / "orders.py"
        (self.folder / "types.py").write_text(TYPES)
        (self.folder / "__init__.py").write_text(PACKAGE)
        (self.folder / "orders.sql").write_text(SQL)

    def forget(self) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "overridden"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def queries(self) -> Queries:
        self.forget()
        made: Queries = importlib.import_module("overridden").query
        return made

    def orders(self) -> ModuleType:
        self.forget()
        return importlib.import_module("overridden.orders")

    def generate(self, conn: psycopg.Connection[Any]) -> str:
        made = self.queries()
        statements = [statement for _, statement in made.without_function()]
        target = StubModule("orders", "", "overridden.orders", {}, ("overridden", "query"))
        text = generated(conn, statements, target, made.types)
        self.module.write_text(text)
        return text

    def findings(self, conn: psycopg.Connection[Any]) -> list[str]:
        return [str(each) for each in contract.check(conn, self.orders().query)]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Package]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Package(tmp_path)
    yield made
    made.forget()


def test_generated_code_has_the_named_types(
    conn: psycopg.Connection[Any], package: Package
) -> None:
    text = package.generate(conn)

    assert "from overridden.types import Address, Email, Note" in text
    assert (
        "    id: int\n    mail: Email\n    total: int\n    weight: Decimal | None\n"
        "    address: Address\n    notes: list[Note] | None\n    class_: str | None\n"
    ) in text
    assert "def move(*, address: Address, id: int) -> int: ..." in text
    assert "def move_text(*, address: str, id: int) -> int: ..." in text
    assert "    total: int,\n    weight: Decimal | None,\n    address: Address,\n" in text
    assert "def of_customer(*, mail: Email, class_: str) -> OfCustomerRow: ..." in text
    assert "    totals: list[int] | None\n    mail: Email | None\n" in text
    assert (
        "def load(*, id: int, mail: Email, total: int, address: Address, class_: str | None) -> int"
    ) in text


def test_what_is_generated_is_checked_and_runs(
    conn: psycopg.Connection[Any], package: Package
) -> None:
    package.generate(conn)
    assert package.findings(conn) == []

    orders = package.orders()
    types = sys.modules["overridden.types"]
    address = types.Address("Main Street", types.Decimal("1.10"))
    notes = [{"text": "a"}, {"text": "b", "stars": None}]
    orders.add(
        conn,
        id=1,
        mail="a@b",
        total=5,
        weight=types.Decimal(2),
        address=address,
        notes=notes,
        class_="x",
    )
    orders.load.copy(conn, [(2, "a@b", 7, address, "x")])
    conn.execute("insert into customers values (1, 'a@b', 'Ada')")

    found = orders.get(conn, id=1)
    assert (found.mail, found.total, found.address, found.notes) == ("a@b", 5, address, notes)
    assert orders.of_customer(conn, mail="a@b", class_="x").totals == [5, 7]
    (one,) = orders.with_customer(conn)
    assert [each.address for each in one.orders] == [address, address]


@pytest.mark.parametrize(
    ("written", "instead", "finding"),
    [
        ("total: int\n", "total: Decimal\n", "column total is numeric, which types= names int"),
        ("    mail: Email\n", "    mail: str\n", "column mail is email, which types= names Email"),
        ("address: Address\n", "address: dict[str, str]\n", "which types= names Address"),
        ("notes: list[Note] | None\n", "notes: list[dict[str, int]] | None\n", "list[overr"),
        (
            "totals: list[int]",
            "totals: list[Decimal]",
            "is numeric[], which types= names",
        ),
        ("mail: Email, total: int, address", "mail: str, total: int, address", "is email, which"),
        ("move(*, address: Address", "move(*, address: dict[str, str]", ":address is jsonb, which"),
    ],
)
def test_another_annotation_is_a_finding(
    conn: psycopg.Connection[Any], package: Package, written: str, instead: str, finding: str
) -> None:
    text = package.generate(conn)
    assert written in text
    package.module.write_text(text.replace(written, instead))

    findings = package.findings(conn)

    assert any(finding in each for each in findings), findings


@pytest.mark.parametrize(
    ("declared", "finding"),
    [
        ('"numeric": str', "types= reads 'numeric' as str, which is numeric"),
        ('"emial": Email', "types= has 'emial', and the database has no such type or column"),
        ('"orders.wieght": Decimal', "types= has 'orders.wieght'"),
    ],
)
def test_a_declaration_that_the_database_contradicts_is_one_finding(
    conn: psycopg.Connection[Any], package: Package, declared: str, finding: str
) -> None:
    package.generate(conn)
    init = package.folder / "__init__.py"
    init.write_text(PACKAGE.replace('"orders.weight": Decimal', declared))

    findings = package.findings(conn)

    assert len([each for each in findings if finding in each]) == 1


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ('"numeric": int | None', "each column has a NULL of its own"),
        ('"a.b.c.d": int', "no name of a type"),
        ('"orders.x": object', "each column has"),
    ],
)
def test_a_declaration_that_says_nothing_is_refused_at_import(
    package: Package, declared: str, problem: str
) -> None:
    init = package.folder / "__init__.py"
    init.write_text(PACKAGE.replace('"orders.weight": Decimal', declared))

    with pytest.raises(QueryDefinitionError, match=problem):
        package.queries()


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ('{"street": 1, "price": 2}', "column address.street of row 1"),
        ('{"street": "a"}', "a row with the keys street in column address"),
        ("null", "JSON's null, or NULL, in column address"),
    ],
)
def test_a_stored_document_of_another_shape_is_named(
    conn: psycopg.Connection[Any], package: Package, stored: str, message: str
) -> None:
    package.generate(conn)
    orders = package.orders()
    conn.execute("insert into orders (id, mail, total, address) values (1, 'a@b', 1, %s)", [stored])

    with pytest.raises(QueryDefinitionError) as caught:
        orders.get(conn, id=1)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ('[{"text": 1}]', "returned 1 in column notes[0].text of row 1"),
        ('[{"stars": 1}]', "in column notes[0] of row 1, which has no key text"),
        ('[{"text": null}]', "JSON's null in column notes[0].text of row 1"),
        ("{}", "returned {} in column notes"),
    ],
)
def test_a_stored_typed_dict_of_another_shape_is_named(
    conn: psycopg.Connection[Any], package: Package, stored: str, message: str
) -> None:
    package.generate(conn)
    orders = package.orders()
    conn.execute(
        "insert into orders (id, mail, total, address, notes)"
        ' values (1, \'a@b\', 1, \'{"street": "a", "price": 1}\', %s)',
        [stored],
    )

    with pytest.raises(QueryDefinitionError) as caught:
        orders.get(conn, id=1)

    assert message in str(caught.value)


def test_an_argument_of_another_shape_is_refused(
    conn: psycopg.Connection[Any], package: Package
) -> None:
    package.generate(conn)
    orders = package.orders()
    types = sys.modules["overridden.types"]

    with pytest.raises(ValidationError, match=r"^address.price must be a Decimal, not str"):
        orders.move(conn, id=1, address=types.Address("a", "1"))
