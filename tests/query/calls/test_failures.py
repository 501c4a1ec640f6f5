"""Errors of the server, with their place; prepared statements that no longer fit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import QueryCanceled, UndefinedColumn, UniqueViolation

from taskdb.errors import IntegrityError, TooManyRowsError, ValidationError
from taskdb.query import UNSET, Queries
from tests.query.calls.items import Caller, Item, Shop, notes

# Errors


async def test_an_error_of_the_server_names_line_and_column(shop: Shop, call: Caller) -> None:
    with pytest.raises(UndefinedColumn) as caught:
        await call(shop.failing, a=1)

    assert notes(caught.value) == (
        "shop.failing at sql/shop.sql:43:5\n        i.nmuber, :a::int\n        ^"
    )


async def test_an_error_is_translated_with_its_cause(shop: Shop, call: Caller) -> None:
    await call(shop.add, key="a", number=1)

    with pytest.raises(IntegrityError) as caught:
        await call(shop.add, key="a", number=2)
    assert caught.value.where == "sql/shop.sql:8:1"
    assert caught.value.field == "key"
    assert isinstance(caught.value.__cause__, UniqueViolation)


def test_a_value_that_the_server_cannot_read_is_named(
    tmp_path: Path, plain: Connection[Any]
) -> None:
    (tmp_path / "wrong.sql").write_text(
        "-- name: wrong\nselect 1\nwhere :a = 'x' and :day::date < now();"
    )
    query = Queries(tmp_path, label="sql")

    @query(file="wrong")
    def wrong(*, a: str, day: str) -> int: ...

    with pytest.raises(ValidationError) as caught:
        wrong(plain, a="x", day="no day")
    assert caught.value.field == "day"


def test_an_error_without_a_position_names_the_query(shop: Shop, plain: Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero) as caught:
        shop.divide(plain, 0)

    assert notes(caught.value) == "shop.divide at sql/shop.sql:48:1"


def test_a_cancelled_query_says_which(tmp_path: Path, plain: Connection[Any]) -> None:
    (tmp_path / "slow.sql").write_text("-- name: slow\nselect pg_sleep(10);")
    query = Queries(tmp_path, label="sql")

    @query(file="slow")
    def slow() -> None: ...

    plain.execute("set statement_timeout = 20")
    with pytest.raises(QueryCanceled) as caught:
        slow(plain)
    assert notes(caught.value) == "slow.slow at sql/slow.sql:1:1"


def test_two_rows_say_where(tmp_path: Path, plain: Connection[Any]) -> None:
    (tmp_path / "two.sql").write_text("-- name: two\nselect unnest(:n::int[]);")
    query = Queries(tmp_path, label="sql")

    @query(file="two")
    def two(n: list[int]) -> int: ...

    with pytest.raises(TooManyRowsError) as caught:
        two(plain, [1, 2])
    assert caught.value.where == "sql/two.sql:1:1"


# Prepared statements that no longer fit


async def outdate(shop: Shop, call: Caller) -> None:
    """Prepare `change`, then let its table change under it."""
    call.conn.prepare_threshold = 0
    await call(shop.add, key="a", number=1)
    await call(shop.change, key="a")
    await call(shop.change, key="a")
    # Not through psycopg's execute on this connection, which would notice the ALTER.
    await call.execute("do $$ begin alter table items alter column number type smallint; end $$")


async def test_a_changed_table_is_noticed_and_the_query_run_again(shop: Shop, call: Caller) -> None:
    await outdate(shop, call)

    assert await call(shop.change, key="a", number=UNSET) == Item("a", 1, None)


async def test_a_changed_table_is_noticed_as_a_transaction_begins(shop: Shop, call: Caller) -> None:
    await outdate(shop, call)
    changed = call.conn.set_autocommit(False)
    if asyncio.iscoroutine(changed):
        await changed

    assert await call(shop.change, key="a") == Item("a", 1, None)
    assert call.conn.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


async def test_in_a_transaction_the_changed_table_is_reported_and_then_noticed(
    shop: Shop, call: Caller
) -> None:
    await outdate(shop, call)

    await call.execute("begin")
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        await call(shop.change, key="a")
    assert "Roll back and run the transaction again" in notes(caught.value)
    await call.execute("rollback")

    assert await call(shop.change, key="a") == Item("a", 1, None)


async def test_after_a_changed_table_a_batch_prepares_anew(shop: Shop, call: Caller) -> None:
    await outdate(shop, call)

    with pytest.raises(psycopg.errors.FeatureNotSupported):
        await call(shop.change.batch, [{"key": "a"}])

    assert await call(shop.change.batch, [{"key": "a"}]) == [Item("a", 1, None)]


@pytest.mark.parametrize(
    "damage",
    [
        "do $$ begin execute 'deallocate all'; end $$",
        "do $$ begin for i in 0..9 loop execute format('prepare _pg3_%s as select', i); end loop;"
        " end $$",
    ],
)
async def test_statements_prepared_by_psycopg_that_somebody_took_away_are_prepared_again(
    shop: Shop, call: Caller, damage: str
) -> None:
    await call(shop.add, key="a", number=1)
    call.conn.prepare_threshold = 2
    await call(shop.change, key="a")
    await call(shop.change, key="a")
    if "deallocate" in damage:
        await call(shop.change, key="a")

    await call.execute(damage)

    assert await call(shop.change, key="a") == Item("a", 1, None)
    assert await call(shop.change, key="a") == Item("a", 1, None)


async def test_what_the_server_does_not_support_is_not_run_twice(
    tmp_path: Path, call: Caller
) -> None:
    (tmp_path / "odd.sql").write_text("-- name: odd\nselect sum(sum(1)) over () for update;")
    query = Queries(tmp_path, label="sql")

    @query(file="odd")
    def odd() -> int: ...

    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        await call(odd)
    assert "odd.odd at sql/odd.sql:" in notes(caught.value)
