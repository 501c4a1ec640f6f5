"""`taskdb generate`: what is written passes the check and the type checkers, and runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.shop import Shop

SCHEMA = """
create type order_state as enum ('open', 'sent out');
create domain amount as numeric check (value >= 0);
create table customers (id integer primary key, name text not null unique);
create table orders (
    id integer generated always as identity primary key,
    customer_id integer not null references customers,
    state order_state not null default 'open',
    total amount not null,
    note text,
    tags text[] not null default '{}',
    extra jsonb,
    span tstzrange,
    made_at timestamptz not null default now()
);
insert into customers values (1, 'Ada'), (2, 'Grace');
"""
ORDERS = """\
-- name: add
insert into orders (customer_id, total, tags) values (:customer_id, :total, :tags)
returning id;

-- name: get
-- An order with its customer, and "all" that is known.
--
-- Two lines.
select o.id, c.name, o.state, o.total, o.note, o.tags, o.extra, o.span, o.made_at
from orders as o
inner join customers as c on c.id = o.customer_id
where o.id = :id;

-- name: list_orders
-- Orders, newest first.
select o.id, o.state, l.name
from orders as o
left join customers as l on l.id = o.customer_id and o.state = 'open'
where true
    and o.state = :state          -- if :state
    and o.total >= :at_least      -- if :at_least
    and o.note is null            -- if :without_note
order by
    o.total,                      -- if :by = total
    l.name,                       -- if :by = 'customer'
    o.made_at desc
limit :most;

-- name: by_state
select o.id, o.state, c.name
from orders as o left join customers as c on c.id = o.customer_id
where o.state = any(:states);

-- name: count_orders
select count(*) from orders;

-- name: total_of
select sum(total) from orders where customer_id = :customer_id;

-- name: close
update orders set state = 'sent out' where id = :id;

-- name: load
copy customers (id, name) from stdin;
"""


def python(shop: Shop, *arguments: str) -> str:
    """Run Python in the project's folder, and return all that it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=shop.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def shop(tmp_path: Path, empty_database_url: str) -> Shop:
    with psycopg.connect(empty_database_url) as conn:
        conn.execute(SCHEMA)
    return Shop(tmp_path, empty_database_url, ORDERS)


MAIN = """
import sys
from decimal import Decimal
import psycopg
from shop import orders
with psycopg.connect(sys.argv[1]) as conn:
    id = orders.add(conn, customer_id=1, total=Decimal("9.5"), tags=["a"])
    print(orders.get(conn, id=id).state, orders.get(conn, id=99))
    print(orders.list_orders(conn, most=5, without_note=True))
    print(orders.count_orders(conn), orders.total_of(conn, customer_id=2))
    print(orders.close(conn, id=id))
    print(orders.by_state(conn, states=[orders.OrderState.SENT_OUT]))
    print(orders.load.copy(conn, [(3, "Linus")]))
"""


@pytest.mark.slow
def test_what_is_generated_is_checked_typed_and_runs(shop: Shop) -> None:
    assert shop.call("generate", "--check").status == 1

    done = shop.call("generate")

    assert done.status == 0, done.err
    assert "8 functions written" in done.out
    checked = shop.call("check", "contract")
    assert checked.status == 0, checked.out
    assert "looked at: 8 queries" in checked.out
    mypy = ("-m", "mypy", "--strict", "--disable-error-code", "empty-body", "shop")
    assert "Success" in python(shop, *mypy)
    ruff = ("-m", "ruff", "format", "--line-length", "100", "--diff", "shop/orders.py")
    assert python(shop, *ruff) == "1 file already formatted\n"
    (shop.folder / "main.py").write_text(MAIN)
    assert python(shop, "main.py", shop.url).splitlines() == [
        "open None",
        "[ListOrdersRow(id=1, state=<OrderState.OPEN: 'open'>, name='Ada')]",
        "1 None",
        "1",
        "[ListOrdersRow(id=1, state=<OrderState.SENT_OUT: 'sent out'>, name='Ada')]",
        "1",
    ]


def test_what_is_generated_reads_as_if_written_by_hand(shop: Shop) -> None:
    shop.call("generate")

    text = shop.module.read_text()

    assert text.startswith('"""The queries of orders.sql."""\n\nfrom ')
    for part in (
        "@query\ndef add(*, customer_id: int, total: Decimal, tags: list[str]) -> int: ...",
        'class OrderState(StrEnum):\n    OPEN = "open"\n    SENT_OUT = "sent out"\n',
        "    name: str | None\n",
        '    """Orders, newest first."""\n    ...',
        "    state: OrderState | None = None,\n    at_least: Decimal | None = None,\n"
        '    by: Literal["total", "customer"] | None = None,\n'
        "    without_note: bool = False,\n) -> list[ListOrdersRow]:",
        "def by_state(*, states: list[OrderState]) -> list[ListOrdersRow]:",
        "def count_orders() -> int:",
        "def total_of(*, customer_id: int) -> Decimal | None:",
        "def load(*, id: int, name: str) -> int:",
    ):
        assert part in text, text


@pytest.mark.slow
def test_what_stands_there_stays(shop: Shop) -> None:
    shop.call("generate")
    edited = shop.module.read_text().replace("Orders, newest first.", "By hand.")
    shop.module.write_text(edited)
    again = shop.call("generate")
    kept = shop.module.read_text()
    shop.sql.write_text(ORDERS + "\n-- name: ids\nselect id, span from orders;\n")
    more = shop.call("generate")

    assert again.out == "no functions written\n"
    assert kept == edited
    assert "1 functions written" in more.out
    added = shop.module.read_text()
    assert added.startswith(edited.rstrip("\n"))
    assert "class IdsRow:\n    id: int\n    span: Range[datetime] | None\n" in added
    assert shop.call("generate", "--check").status == 0
    assert shop.call("check", "contract").status == 0


def test_a_column_that_is_no_name_is_refused_with_its_place(shop: Shop) -> None:
    shop.sql.write_text("-- name: odd\nselect 1, 2;\n")

    done = shop.call("generate")

    assert done.status == 1
    assert "orders.sql:1:1: column ?column can't be a field" in done.err
    assert not shop.module.exists()
