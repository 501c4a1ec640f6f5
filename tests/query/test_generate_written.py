"""`taskdb generate`: None by where an argument is written, lists of lists, columns of variants."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.query.test_generate import python
from tests.shop import Shop

SCHEMA = """
create domain cents as bigint check (value >= 0);
create table parts (
    id integer primary key, may text, must text not null,
    short varchar(4), sure varchar(4) not null, total numeric(6, 2),
    code char(3), at timestamptz(0), tags varchar(3)[],
    price cents, marks integer[] not null default '{1,2}'
);
create view wide as select id, may, must, sure from parts where id > 0 with check option;
create function halves(n integer, out a integer, out b integer) language sql
as 'select n / 2, n % 2';
"""
SQL = """\
-- name: both
insert into parts (id, may, must, sure) values (:id, :x, :x, 's');

-- name: both_backwards
insert into parts (id, must, may, sure) values (:id, :x, :x, 's');

-- name: in_two_statements
with one as (update parts set may = :x where id = 1),
two as (update parts set must = :x where id = 2)
select 1 as done;

-- name: on_conflict
insert into parts (id, may, must, sure) values (:id, :x, 'm', 's')
on conflict (id) do update set must = :x;

-- name: twice
update parts set may = :x, short = :x::text where id = :id;

-- name: cut
insert into parts (id, must, short, sure, total, code, at, tags)
values (:id, 'm', :short, :sure, :total, :code, :at, :tags);

-- name: merged
merge into parts as p using (values (:id::integer, :may::text, :sure::text)) as s (id, may, sure)
on p.id = s.id
when matched then update set may = s.may
when not matched then insert (id, may, must, sure) values (s.id, s.may, 'm', s.sure);

-- name: through_cte
with given as (select :id::integer as id, :may::text as may, :must::text as must),
made as (insert into parts (id, may, must, sure) select id, may, must, 's' from given returning id)
select count(*) as made from made;

-- name: through_view
insert into wide (id, may, must, sure) values (:id, :may, :must, 's');
"""
LISTS_SQL = """\
-- name: lists
select
    array_agg(marks order by id) as of_aggregate,
    array(select marks from parts order by id) as of_query,
    array[array[max(id), null], array[1, 2]] as written,
    array_agg(price order by id) as prices,
    array_agg(array[price] order by id) as nested_prices
from parts;

-- name: halved
select a, b from halves(:n);
"""


@pytest.fixture
def shop(tmp_path: Path, empty_database_url: str) -> Shop:
    with psycopg.connect(empty_database_url) as conn:
        conn.execute(SCHEMA)
    return Shop(tmp_path, empty_database_url, "")


@pytest.mark.slow
def test_an_argument_takes_none_if_all_columns_that_it_is_written_to_do(shop: Shop) -> None:
    shop.generate(
        SQL,
        "def both(*, id: int, x: str) -> int: ...",
        "def both_backwards(*, id: int, x: str) -> int: ...",
        "def in_two_statements(*, x: str) -> int: ...",
        "def on_conflict(*, id: int, x: str) -> int: ...",
        "def twice(*, x: str | None, id: int) -> int: ...",
        "    short: str | None,\n    sure: str,\n    total: Decimal | None,\n"
        "    code: str | None,\n    at: datetime | None,\n    tags: list[str] | None,\n",
        "def merged(*, id: int, may: str | None, sure: str) -> int: ...",
        "def through_cte(*, id: int, may: str | None, must: str) -> int: ...",
        "def through_view(*, id: int, may: str | None, must: str) -> int: ...",
    )
    main = (
        "import sys, psycopg\nfrom shop import orders\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n"
        "    none = dict.fromkeys(('short', 'total', 'code', 'at', 'tags'))\n"
        "    print(orders.cut(conn, id=1, sure='s', **none), orders.twice(conn, id=1, x=None))\n"
        "    print(orders.merged(conn, id=2, may=None, sure='s'))\n"
        "    print(orders.through_cte(conn, id=3, may=None, must='m'))\n"
        "    print(orders.both(conn, id=4, x='x'))\n"
    )
    assert python(shop, "-c", main, shop.url) == "1 1\n1\n1\n1\n"


@pytest.mark.slow
def test_an_array_of_arrays_becomes_a_list_of_lists(shop: Shop) -> None:
    shop.generate(
        LISTS_SQL,
        "    of_aggregate: list[list[int]] | None\n",
        "    of_query: list[list[int]]\n",
        "    written: list[list[int | None]]\n",
        "    prices: list[str | None] | None\n",
        "    nested_prices: list[list[str | None]] | None\n",
        "def halved(*, n: int) -> HalvedRow: ...",
    )
    main = (
        "import sys, psycopg\nfrom shop import orders\n"
        "with psycopg.connect(sys.argv[1]) as conn:\n"
        '    conn.execute("insert into parts (id, must, sure, price)'
        " values (1, '', '', null), (2, '', '', 5)\")\n"
        "    row = orders.lists(conn)\n"
        "    print(row.of_aggregate, row.of_query, row.written, row.prices, row.nested_prices)\n"
        "    print(orders.halved(conn, n=5))\n"
    )
    assert python(shop, "-c", main, shop.url) == (
        "[[1, 2], [1, 2]] [[1, 2], [1, 2]] [[2, None], [1, 2]] [None, '5'] [[None], ['5']]\n"
        "HalvedRow(a=2, b=1)\n"
    )


def test_variants_with_other_columns_get_no_function(shop: Shop) -> None:
    shop.sql.write_text(
        "-- name: some\nselect\n    id,\n    may,  -- if :with_may\n    must\nfrom parts;\n"
    )

    refused = shop.call("generate")

    assert refused.status == 1
    assert (
        "orders.sql:1:1: some has the columns id, may, must with all its lines, and else id, must."
    ) in refused.err, refused.err
    assert not shop.module.exists()
