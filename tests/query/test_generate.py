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
    lacking = shop.call("generate", "--check")
    assert lacking.status == 1
    assert "shop/sql/orders.sql:1:1: orders.add has no function\n" in lacking.out

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
    assert "1 function written" in more.out
    added = shop.module.read_text()
    assert added.startswith(edited.rstrip("\n"))
    assert "class IdsRow:\n    id: int\n    span: Range[datetime] | None\n" in added
    assert shop.call("generate", "--check").status == 0
    assert shop.call("check", "contract").status == 0


def test_a_column_that_is_no_name_is_refused_with_its_place(shop: Shop) -> None:
    shop.sql.write_text("-- name: odd\nselect 1, 2;\n")

    done = shop.call("generate")

    assert done.status == 1
    assert "orders.sql:1:1: odd has a column ?column?, which can't be a field" in done.err
    assert not shop.module.exists()


def test_a_column_without_a_name_has_no_mark(shop: Shop) -> None:
    shop.sql.write_text(
        '-- name: one\nselect 1;\n\n-- name: by_mark\nselect nullif(1, 2) as "one!";  -- 1\n'
    )

    assert shop.call("generate").status == 0

    text = shop.module.read_text()
    assert "def one() -> int: ..." in text
    assert "def by_mark() -> int: ..." in text
    assert shop.call("check", "--write").status == 0
    expectations = shop.sql.parent / "expectations" / "orders.txt"
    assert "gives   ?column? integer not null\n" in expectations.read_text()


def test_long_comments_are_wrapped_to_the_width_of_a_line(shop: Shop) -> None:
    long = " ".join(["words"] * 16 + ["end"])
    shop.sql.write_text(f"-- name: one\n-- {long}\n-- - {long}\nselect 1;\n")

    assert shop.call("generate").status == 0

    text = shop.module.read_text()
    assert max(map(len, text.splitlines())) <= 100
    assert text.count("words") == 32


NESTED = """\
-- name: with_orders
-- Customers, each with what was ordered.
select c.id, c.name, c.home,
    coalesce(array_agg(o order by o.id) filter (where o.id is not null), '{}') as orders
from customers as c left join orders as o on o.customer_id = c.id
group by c.id order by c.id;

-- name: as_documents
select c.name, coalesce((
    select jsonb_agg(jsonb_build_object('id', o.id, 'note', o.note, 'made_at', o.made_at))
    from orders as o where o.customer_id = c.id
), '[]') as orders
from customers as c order by c.id;

-- name: whole
select o, c.id from orders as o left join customers as c on c.id = o.customer_id and c.id > 1
where o.id = :id;

-- name: one
select c from customers as c where c.id = :id;

-- name: pairs
select array_agg(row(o.id, o.total)) as pairs from orders as o;
"""
RUN_NESTED = """
import sys
import psycopg
from shop import nested
with psycopg.connect(sys.argv[1]) as conn:
    conn.execute("insert into orders (customer_id, total, made_at) values (1, 9.5, '2030-01-01Z')")
    ada, grace = nested.with_orders(conn)
    print(ada.home, [order.total for order in ada.orders], grace.orders)
    print(nested.as_documents(conn)[0].orders)
    print(nested.whole(conn, id=1).c_id, nested.whole(conn, id=1).o.state)
    print(nested.one(conn, id=1).c.name)
    print(nested.pairs(conn).pairs)
"""


@pytest.mark.slow
def test_rows_in_rows_get_classes_of_their_own(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute("create type address as (street text, number integer)")
        conn.execute("alter table customers add column home address")
        conn.execute("update customers set home = ('Long Road', 7) where id = 1")
    sql = shop.folder / "shop" / "sql"
    (sql / "orders.sql").unlink()
    (sql / "nested.sql").write_text(NESTED.replace("o, c.id from", "o, c.id as c_id from"))

    assert "5 functions written" in shop.call("generate").out

    checked = shop.call("check", "contract")
    assert checked.status == 0, checked.out
    mypy = ("-m", "mypy", "--strict", "--disable-error-code", "empty-body", "shop")
    assert "Success" in python(shop, *mypy)
    text = (shop.folder / "shop" / "nested.py").read_text()
    assert "class Address:\n    street: str | None\n    number: int | None\n" in text
    assert "    home: Address | None\n    orders: list[Orders]\n" in text
    assert "    orders: list[AsDocumentsOrders]\n" in text
    assert "class AsDocumentsOrders:\n    id: int\n    note: str | None\n    made_at: dat" in text
    (shop.folder / "main.py").write_text(RUN_NESTED)
    assert python(shop, "main.py", shop.url).splitlines() == [
        "Address(street='Long Road', number=7) [Decimal('9.5')] []",
        "[AsDocumentsOrders(id=1, note=None, made_at=datetime.datetime(2030, 1, 1, 0, 0, "
        "tzinfo=datetime.timezone.utc))]",
        "None open",
        "Ada",
        "[PairsPairs(f1=1, f2=Decimal('9.5'))]",
    ]


@pytest.mark.slow
def test_what_is_inside_is_written_for_review_and_verified(shop: Shop) -> None:
    sql = shop.folder / "shop" / "sql"
    (sql / "orders.sql").unlink()
    nested = NESTED.replace("o, c.id from", "o, c.id as c_id from").replace("c.home,", "")
    (sql / "nested.sql").write_text(nested)
    shop.call("generate")
    written = shop.call("check", "--write")
    assert written.status == 0, written.out

    text = (sql / "expectations" / "nested.txt").read_text()
    assert "row customers: id integer | name text\n" in text
    assert "orders orders[] not null" in text
    assert " | orders[].total amount not null\n          | orders[].note text | " in text
    (shop.folder / "main.py").write_text(
        "import sys, psycopg\nfrom taskdb import verify\nfrom shop import nested\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n    verify(conn, nested.query)\n"
    )
    assert python(shop, "main.py", shop.url) == ""
    with psycopg.connect(shop.url) as conn:
        conn.execute("alter table customers add column mail text")
    assert (
        "customers has the fields id integer, name text, mail text, expected are id integer, "
        "name text" in python(shop, "main.py", shop.url)
    )


@pytest.mark.slow
def test_a_column_named_by_a_keyword_gets_a_field_with_an_underscore(shop: Shop) -> None:
    sql = shop.folder / "shop" / "sql" / "orders.sql"
    sql.write_text('-- name: classes\nselect id, name as "class" from customers order by id;\n')

    assert shop.call("generate").status == 0

    assert "    id: int\n    class_: str\n" in shop.module.read_text()
    assert shop.call("check", "contract").status == 0
