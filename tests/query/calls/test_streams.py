"""Streams read rows in parts, by the same rules."""

from __future__ import annotations

from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection
from psycopg.errors import UndefinedColumn

from taskdb.errors import ValidationError
from taskdb.query import Queries
from tests.query.calls.items import Caller, Shop, notes


async def test_a_stream_reads_all_rows_in_parts(shop: Shop, call: Caller) -> None:
    assert await call.listed(shop.series, last=1234) == list(range(1, 1235))
    assert await call.listed(shop.series, last=0) == []


async def test_a_stream_on_autocommit_leaves_no_transaction(shop: Shop, call: Caller) -> None:
    await call.listed(shop.series, last=3)

    assert call.conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_stream_may_be_left_early(shop: Shop, plain: Connection[Any]) -> None:
    with closing(shop.series.stream(plain, 10_000)) as rows:
        assert next(rows) == 1
        assert shop.count_items(plain) == 0
        cursors = plain.execute("select name from pg_cursors").fetchall()

    assert len(cursors) == 1
    assert plain.execute("select name from pg_cursors").fetchall() == []
    assert plain.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_an_asynchronous_stream_may_be_left_early(
    shop: Shop, aplain: AsyncConnection[Any]
) -> None:
    rows = shop.series.stream(aplain, 10_000)
    assert await anext(rows) == 1
    await rows.aclose()

    assert aplain.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_what_ran_beside_a_stream_is_kept_if_it_is_left_early(
    shop: Shop, call: Caller
) -> None:
    async with aclosing(call.streamed(shop.series, last=10_000)) as rows:
        await anext(rows)
        await call(shop.add, key="a", number=1)

    assert call.conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert await call(shop.count_items) == 1


async def test_what_ran_beside_a_stream_is_undone_if_it_fails(shop: Shop, call: Caller) -> None:
    async with aclosing(call.streamed(shop.quotients, last=1000)) as rows:
        await anext(rows)
        await call(shop.add, key="a", number=1)
        with pytest.raises(psycopg.errors.DivisionByZero):
            [row async for row in rows]

    assert await call(shop.count_items) == 0


def test_streams_may_run_side_by_side(shop: Shop, plain: Connection[Any]) -> None:
    with plain.transaction():
        pairs = zip(shop.series.stream(plain, 1200), shop.series.stream(plain, 1200), strict=True)
        assert all(one == other for one, other in pairs)


async def test_a_stream_keeps_the_rules_of_rows(shop: Shop, call: Caller) -> None:
    with pytest.raises(ValidationError, match="last must be an int"):
        await call.listed(shop.series, last="3")
    with pytest.raises(UndefinedColumn) as caught:
        await call.listed(shop.failing, a=1, b=2)
    assert "shop.failing at sql/shop.sql:43:5\n        i.nmuber, :a::int" in notes(caught.value)


def test_a_null_in_a_stream_is_counted_from_its_first_row(
    tmp_path: Path, plain: Connection[Any]
) -> None:
    (tmp_path / "holes.sql").write_text(
        "-- name: holes\nselect nullif(n, 777) from generate_series(1, 1000) as n;"
    )
    query = Queries(tmp_path)

    @query(file="holes")
    def holes() -> list[int]: ...

    with pytest.raises(Exception, match="of row 777, but the result is not Optional"):
        list(holes.stream(plain))


def test_only_a_list_can_be_streamed(shop: Shop, plain: Connection[Any]) -> None:
    count: Any = shop.count_items

    with pytest.raises(TypeError, match=r"shop.count_items returns no list"):
        count.stream(plain)
