"""`taskdb generate` with names, modules and statements that are not what one expects."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest

from tests.query.test_generate import SCHEMA, python
from tests.shop import Shop


@pytest.fixture
def shop(tmp_path: Path, empty_database_url: str) -> Shop:
    with psycopg.connect(empty_database_url) as conn:
        conn.execute(SCHEMA)
    return Shop(tmp_path, empty_database_url, "")


LEGACY_SCHEMA = """
create type "None" as enum ('it''s', 'a"b', 'Open', 'open', '', '2nd');
create type "2fa" as enum ('sms');
create type "range" as (a integer, span tstzrange);
create table things (
    id integer primary key, "date" date not null, "int" integer, list text[] not null,
    "None" "None", tf "2fa", box "range", during timetz, made timestamptz not null
);
"""
LEGACY_SQL = """\
-- name: list
select id, date, made::date as day, "int", list, made from things;

-- name: date
select date from things where id = any(:ids);

-- name: str
select "None" as "none", tf from things where "None" = :none;

-- name: spans
select box from things where made <@ :span::tstzrange;

-- name: whole
select t from things as t;
"""


@pytest.mark.slow
def test_no_name_hides_another_one_that_is_needed(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute(LEGACY_SCHEMA)
    shop.sql.write_text(LEGACY_SQL)

    assert shop.call("generate").status == 0

    checked = shop.call("check", "contract")
    assert (checked.status, checked.err) == (0, ""), checked.out
    mypy = ("-m", "mypy", "--strict", "--disable-error-code", "empty-body", "shop")
    assert "Success" in python(shop, *mypy)
    assert "0 errors" in python(shop, "-m", "pyright", "--pythonpath", sys.executable, "shop")
    ruff = ("-m", "ruff", "format", "--line-length", "100", "--diff", "shop/orders.py")
    assert python(shop, *ruff) == "1 file already formatted\n"


def test_names_are_changed_where_they_are_taken(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute(LEGACY_SCHEMA)
    shop.sql.write_text(LEGACY_SQL)

    assert shop.call("generate").status == 0

    text = shop.module.read_text()
    for part in (
        "    date: date_\n    day: date_\n    int: int_ | None\n    list: list_[str_]\n",
        "def list() -> list_[ListRow]: ...",
        "def date(*, ids: list_[int_]) -> list_[date_]: ...",
        'class None_(StrEnum):\n    IT_S = "it\'s"\n    A_B = \'a"b\'\n    OPEN = "Open"\n'
        '    OPEN_ = "open"\n    LABEL_ = ""\n    LABEL_2ND = "2nd"\n',
        "class Type2fa(StrEnum):",
        "class Range_:\n    a: int_ | None\n    span: Range[datetime] | None\n",
        "def spans(*, span: Range[datetime]) -> list_[SpansRow]: ...",
        # Annotations inside a row must be of some kind.
        "    during: str_ | None\n",
    ):
        assert part in text, text


OWN_MODULE = """\
import datetime
from decimal import Decimal as D
from pathlib import Path
from typing import Annotated, Final, TypedDict

from taskdb.query import Queries, Range

sql: Final = Queries(Path(__file__).parent / "sql", name="shop")
Amount = Annotated[D, Range(D(0))]
today = datetime.date.today


class Id(TypedDict):
    id: int
    total: D


@sql
def count_orders() -> int: ...


# All are there.
sql.complete()
"""


def test_a_module_keeps_its_own_names_and_line_ends(shop: Shop) -> None:
    (shop.folder / "shop" / "__init__.py").write_text("")
    shop.sql.write_text(
        "-- name: count_orders\nselect count(*) from orders;\n\n"
        "-- name: spans\nselect id, total, span, made_at::date as day from orders;\n\n"
        "-- name: ids\nselect id, total from orders where made_at > :since;\n"
    )
    shop.module.write_bytes(OWN_MODULE.replace("\n", "\r\n").encode())

    done = shop.call("generate")

    assert (done.status, done.err) == (0, "")
    content = shop.module.read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n")
    text = content.decode().replace("\r\n", "\n")
    for part in (
        "import Queries, Range\nfrom dataclasses import dataclass\n\n"
        "from psycopg.types.range import Range as Range_\n\nsql: Final",
        "    total: D\n    span: Range_[datetime.datetime] | None\n    day: datetime.date\n",
        "@sql\ndef ids(*, since: datetime.datetime) -> list[IdsRow]: ...\n\n\n",
    ):
        assert part in text, text
    assert text.endswith("# All are there.\nsql.complete()\n")
    assert shop.call("check", "contract").status == 0


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("-- name: a\nselect 1;\n\n-- name: b\nselect nmae from orders;\n", "5:8: b: the server "),
        (
            "-- name: b\nselect id from ordres;\n",
            '2:16: b: the server refuses it: relation "ordres"',
        ),
        ("-- name: b\ncopy orders (nmae) from stdin;\n", "2:1: b: orders has no column nmae"),
        ("-- name: b\ncopy ordres (id) from stdin;\n", "2:1: b: ordres has no column id"),
        (
            "-- name: b\nselect id, id from orders;\n",
            "1:1: b has two columns that go to a field id",
        ),
        ('-- name: b\nselect id, 1 as "__x" from orders;\n', "1:1: b has a column __x, which can"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_place(
    shop: Shop, sql: str, message: str
) -> None:
    shop.sql.write_text(sql)

    done = shop.call("generate")

    assert (done.status, done.out) == (1, "")
    assert f"shop/sql/orders.sql:{message}" in done.err
    assert not shop.module.exists()


def test_a_row_is_promised_where_there_is_one(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute(
            "create procedure doubled(inout n integer) language sql as 'select n * 2';"
            "create function told() returns void language sql as '';"
            "create function leave_out() returns trigger language plpgsql as"
            " 'begin if new.id > 9 then return\n null; end if; return new; end';"
            "create function fill_in() returns trigger language plpgsql as"
            " 'begin new.id := coalesce(new.id, 1); return new; end';"
            "create table kept (id integer);"
            "create trigger a before insert on kept for each row execute function fill_in();"
            "create trigger b after insert on kept for each row execute function leave_out();"
            "create trigger c before delete on kept for each row execute function leave_out();"
            "create table left_out (id integer) partition by list (id);"
            "create table left_out_most partition of left_out default;"
            "create trigger a before insert on left_out_most for each row"
            " execute function leave_out();"
        )
    insert = "insert into customers (id, name) values (:id, :name)"
    shop.generate(
        (
            f"-- name: put\n{insert} on conflict (id) do update set name = :name returning id;\n\n"
            f"-- name: put_if\n{insert} on conflict (id) do update set name = :name\n"
            "where customers.name <> :old returning id;\n\n"
            f"-- name: put_new\n{insert} on conflict (id) do nothing returning id;\n\n"
            "-- name: put_none\ninsert into customers (id, name) select 1, 'a'\n"
            "from (values (1)) as v (n) where false returning id;\n\n"
            "-- name: keep\ninsert into kept values (1) returning 1 as one;\n\n"
            "-- name: leave\ninsert into left_out values (:id) returning 1 as one;\n\n"
            "-- name: call_it\ncall doubled(:n);\n\n-- name: tell\nselect told();\n"
        ),
        "def put(*, id: int, name: str) -> int: ...",
        "def put_if(*, id: int, name: str, old: str) -> int | None: ...",
        "def put_new(*, id: int, name: str) -> int | None: ...",
        "def put_none() -> int | None: ...",
        "def keep() -> int: ...",
        "def leave(*, id: int | None) -> int | None: ...",
        "def call_it(*, n: int) -> int | None: ...",
        "def tell() -> None: ...",
    )
    assert python(
        shop,
        "-c",
        "import sys, psycopg\nfrom shop import orders\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n"
        "    print(orders.put_if(conn, id=1, name='Ada', old='Ada'), orders.put_none(conn))\n"
        "    print(orders.call_it(conn, n=4), orders.tell(conn))\n"
        "    print(orders.keep(conn), orders.leave(conn, id=9), orders.leave(conn, id=10))\n",
        shop.url,
    ).splitlines() == ["None None", "8 None", "1 1 None"]


@pytest.mark.slow
def test_what_is_written_of_unusual_types_can_be_sent_and_read(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute(
            "create table hosts (id integer primary key, addresses inet[] not null,"
            " ports int4range[] not null, sizes smallint[], opens timetz)"
        )
    shop.sql.write_text(
        "-- name: put\ninsert into hosts (id, addresses, ports, sizes, opens)\n"
        "values (1, :addresses, :ports, :sizes, :opens::text::timetz);\n\n"
        "-- name: whole\nselect h, jsonb_agg(h) as hs from hosts as h group by h.id;\n"
    )

    assert shop.call("generate").status == 0

    checked = shop.call("check", "contract")
    assert checked.status == 0, checked.out
    assert python(
        shop,
        "-c",
        "import sys, psycopg\nfrom ipaddress import ip_address\n"
        "from psycopg.types.range import Range\nfrom shop import orders\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n"
        "    orders.put(conn, addresses=[ip_address('10.0.0.1'), ip_address('::1')],\n"
        "        ports=[Range(1, 9), Range(empty=True)], sizes=[7], opens='12:00+02')\n"
        "    (row,) = orders.whole(conn)\n"
        "    print(row.h.addresses, row.h.ports, row.h.sizes, row.h.opens)\n"
        "    print(row.hs[0].sizes, row.hs[0].opens)\n",
        shop.url,
    ).splitlines() == [
        "[IPv4Address('10.0.0.1'), IPv6Address('::1')] "
        "[Range(1, 9, '[)'), Range(empty=True)] [7] 12:00:00+02",
        "[7] 12:00:00+02",
    ]


@pytest.mark.parametrize(
    ("sql", "remedy"),
    [
        (
            ":v::timetz",
            "time with time zone, of which no value can be sent. Cast it: :v::text::time",
        ),
        (":v::jsonb[]", "jsonb[], of which no value can be sent. Cast it: :v::text[]::jsonb[]"),
    ],
)
def test_a_parameter_that_nothing_fits_is_refused_with_its_cast(
    shop: Shop, sql: str, remedy: str
) -> None:
    shop.sql.write_text(f"-- name: one\nselect {sql} is null;\n")

    done = shop.call("generate")

    assert done.status == 1
    assert f"shop/sql/orders.sql:2:8: one: :v is {remedy}" in done.err


def test_a_table_whose_name_is_quoted_can_be_copied_into(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute('create table "Old (ones)" ("Id" integer not null, "class" text)')
    shop.sql.write_text('-- name: load\ncopy "Old (ones)" ("Id", "class") from stdin;\n')

    assert shop.call("generate").status == 0

    text = shop.module.read_text()
    assert "def load(*, Id: int, class_: str | None) -> int: ..." in text
    written = shop.call("check", "--write")
    assert (written.status, written.err) == (0, ""), written.out
    expectations = (shop.sql.parent / "expectations" / "orders.txt").read_text()
    assert "    takes   Id integer not null | class text\n" in expectations
    assert shop.call("check", "expectations").status == 0
    main = (
        "import sys, psycopg\nfrom taskdb import verify\nfrom shop import orders\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n"
        "    print(orders.load.copy(conn, [(1, 'a'), (2, None)]))\n    verify(conn, orders.query)\n"
    )
    assert python(shop, "-c", main, shop.url) == "2\n"


@pytest.mark.slow
def test_what_is_written_to_a_nullable_column_may_be_null(shop: Shop) -> None:
    shop.generate(
        (
            "-- name: put\ninsert into orders (customer_id, total, note, extra)\n"
            "values (1, :total, :note, :extra) returning id, note;\n\n"
            "-- name: renote\nupdate orders set\n    total = :total,  -- if :total\n"
            "    note = :note\nwhere id = :id returning note;\n\n"
            "-- name: find\nselect id from orders where note = :note;\n"
        ),
        "def put(*, total: Decimal, note: str | None, extra: Annotated[Any, Json()] | None) -> Pu",
        "def renote(*, note: str | None, id: int, total: Decimal | None = None) -> str | None:",
        "def find(*, note: str) -> list[int]: ...",
        "class PutRow:\n    id: int\n    note: str | None\n",
    )
    main = (
        "import sys, psycopg\nfrom shop import orders\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n"
        "    put = orders.put(conn, total=1, note=None, extra=None)\n"
        "    print(put.note, orders.renote(conn, id=put.id, note='a'))\n"
        "    print(orders.renote(conn, id=put.id, note=None))\n"
    )
    assert python(shop, "-c", main, shop.url) == "None a\nNone\n"


@pytest.mark.slow
def test_a_file_that_is_called_as_no_module_can_be_names_its_file(shop: Shop) -> None:
    for name in ("my-orders", "2fa", "class", "a.b"):
        (shop.sql.parent / f"{name}.sql").write_text("-- name: ids\nselect id from orders;\n")

    assert shop.call("generate").status == 0

    package = shop.folder / "shop"
    for module, name in {"my_orders": "my-orders", "_2fa": "2fa", "class_": "class"}.items():
        text = (package / f"{module}.py").read_text()
        assert f'@query(file="{name}")\ndef ids() -> list[int]: ...' in text
    assert '@query(file="a.b")' in (package / "a_b.py").read_text()
    checked = shop.call("check", "contract")
    assert (checked.status, checked.err) == (0, ""), checked.out
    assert "looked at: 4 queries" in checked.out
    assert shop.call("generate", "--check").status == 0


@pytest.mark.slow
def test_a_list_holds_none_where_the_statement_puts_it_there(shop: Shop) -> None:
    shop.generate(
        (
            "-- name: notes\nselect array_agg(note) as notes, array_agg(id) as ids\n"
            "from orders group by customer_id;\n\n"
            "-- name: alone\nselect array(select note from orders);\n\n"
            "-- name: constant\nselect '{1,2}'::int[] as ns;\n\n"
            "-- name: each\nselect array_agg(id) from orders group by customer_id;\n\n"
            "-- name: of_one\nselect tags from orders where id = :id;\n"
        ),
        "    notes: list[str | None]\n    ids: list[int]\n",
        # A list alone would be one of rows.
        "class AloneRow:\n    array: list[str | None]\n",
        "class ConstantRow:\n    ns: list[int]\n",
        "def each() -> list[list[int]]: ...",
        "def of_one(*, id: int) -> list[str] | None: ...",
    )


def test_all_that_is_refused_is_named_and_nothing_is_written(shop: Shop) -> None:
    shop.sql.write_text(
        "-- name: gone\nselect colour from orders;\n\n"
        "-- name: cast\nselect id from orders where state = :n::integer;\n\n"
        "-- name: good\nselect id from orders;\n\n"
        "-- name: load\ncopy nowhere (id) from stdin;\n\n"
        "-- name: twice\nselect id, id from orders;\n"
    )
    (shop.sql.parent / "items.sql").write_text("-- name: none\nselect id from items;\n")
    (shop.sql.parent / "a.sql").write_text("-- name: ids\nselect id from orders;\n")

    done = shop.call("generate")

    assert (done.status, done.out) == (1, "")
    places = [line.split(" ", 2)[:2] for line in done.err.splitlines() if line.startswith("shop/")]
    assert places == [
        ["shop/sql/items.sql:2:16:", "none:"],
        ["shop/sql/orders.sql:2:8:", "gone:"],
        ["shop/sql/orders.sql:5:35:", "cast:"],
        ["shop/sql/orders.sql:11:1:", "load:"],
        ["shop/sql/orders.sql:13:1:", "twice"],
    ]
    assert "explicit type casts.\n" in done.err
    assert done.err.endswith("taskdb: 5 queries can have no function, so nothing was written\n")
    assert [each.name for each in (shop.folder / "shop").glob("*.py")] == ["__init__.py"]


def test_a_domain_over_a_named_enum_is_of_its_class(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute(
            "create domain open_state as order_state check (value = 'open');"
            "create domain sure_state as open_state not null;"
            "create type pair as (one open_state, many open_state[]);"
            "create table old (a open_state, b sure_state not null, c open_state[], p pair)"
        )
    shop.sql.write_text(
        "-- name: old\nselect a, b, c, p from old where a::order_state = :state;\n\n"
        "-- name: put\ninsert into old values (:a, :b, :c, :p);\n"
    )
    (shop.folder / "shop" / "states.py").write_text(
        "import enum\nclass State(enum.StrEnum):\n    OPEN = 'open'\n    SENT = 'sent out'\n"
    )
    (shop.folder / "shop" / "__init__.py").write_text(
        "from pathlib import Path\nfrom shop.states import State\n"
        "from taskdb.query import Queries\n"
        "query = Queries(\n    Path(__file__).parent / 'sql', name='shop',\n"
        "    types={'order_state': State},\n)\n"
    )

    assert shop.call("generate").status == 0

    text = shop.module.read_text()
    assert "StrEnum" not in text
    for part in (
        "class Pair:\n    one: State | None\n    many: list[State] | None\n",
        "    a: State\n    b: State\n    c: list[State] | None\n    p: Pair | None\n",
        "def old(*, state: State) -> list[OldRow]: ...",
    ):
        assert part in text, text
    checked = shop.call("check", "contract")
    assert checked.status == 0, checked.out


def test_a_domain_not_null_refuses_none_although_its_column_may_hold_it(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute(
            "create domain word as text not null; create domain label as word;"
            "create table words (id integer primary key, one word, two label);"
            # The server looks at no value that is of the domain already.
            "insert into words values (1, (select one from words), (select two from words))"
        )
    shop.sql.write_text(
        "-- name: put\ninsert into words values (:id, :one, :two);\n\n"
        "-- name: get\nselect one, two from words where id = :id;\n\n"
        "-- name: load\ncopy words (id, one, two) from stdin;\n"
    )

    assert shop.call("generate").status == 0

    text = shop.module.read_text()
    for part in (
        "def put(*, id: int, one: str, two: str) -> int: ...",
        "class GetRow:\n    one: str | None\n    two: str | None\n",
        "def load(*, id: int, one: str, two: str) -> int: ...",
    ):
        assert part in text, text
    checked = shop.call("check", "contract", "plans")
    assert (checked.status, checked.err) == (0, ""), checked.out
    main = (
        "import sys, psycopg\nfrom shop import orders\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n    print(orders.get(conn, id=1))\n"
    )
    assert python(shop, "-c", main, shop.url) == "GetRow(one=None, two=None)\n"


@pytest.mark.slow
def test_an_array_of_a_named_type_is_written_as_it_is_read_and_sent(shop: Shop) -> None:
    with psycopg.connect(shop.url) as conn:
        conn.execute(
            "create domain rank as integer check (value > 0);"
            "create table ranked (id rank not null, ranks rank[] not null, docs jsonb[] not null)"
        )
    (shop.folder / "shop" / "__init__.py").write_text(
        "from pathlib import Path\nfrom typing import NewType, TypedDict\n"
        "from taskdb.query import Queries\nRank = NewType('Rank', int)\n"
        "class Doc(TypedDict):\n    a: int\n"
        "query = Queries(\n    Path(__file__).parent / 'sql', name='shop',\n"
        "    types={'rank': Rank, 'ranked.docs': list[Doc]},\n)\n"
    )
    put = "-- name: put\ninsert into ranked values (:id, :ranks, :docs);\n\n"
    shop.sql.write_text(put)
    refused = shop.call("generate")
    get = "-- name: get\nselect id, ranks, docs, array_agg(id) over () as ids from ranked;\n"
    shop.sql.write_text(put.replace(":docs", ":docs::text[]::jsonb[]") + get)

    written = shop.call("generate")

    assert "orders.sql:2:41: put: :docs is jsonb[], of which no value can be sent" in refused.err
    assert "Cast it: :docs::text[]::jsonb[]." in refused.err
    assert written.status == 0, written.err
    text = shop.module.read_text()
    for part in (
        "def put(*, id: Rank, ranks: list[str], docs: list[str]) -> int: ...",
        "    id: Rank\n    ranks: list[str]\n    docs: list[Doc]\n    ids: list[str]\n",
    ):
        assert part in text, text
    checked = shop.call("check", "contract")
    assert checked.status == 0, checked.out
    main = (
        "import sys, psycopg\nfrom shop import Rank, orders\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n"
        "    orders.put(conn, id=Rank(1), ranks=['2'], docs=['{\"a\": 3}'])\n"
        "    print(orders.get(conn))\n"
    )
    row = "[GetRow(id=1, ranks=['2'], docs=[{'a': 3}], ids=['1'])]\n"
    assert python(shop, "-c", main, shop.url) == row
