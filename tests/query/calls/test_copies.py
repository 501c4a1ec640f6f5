"""Copies check each row, and change nothing where one is refused."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection
from psycopg.errors import NotNullViolation

from taskdb.errors import ValidationError
from tests.query.calls.items import AWAITS_ROWS, Caller, Item, Shop, notes


async def test_a_copy_takes_sequences_and_mappings(shop: Shop, call: Caller) -> None:
    rows: list[Any] = [
        ("a\tb\n\\", 1, None),
        ["", 2, "\\N"],
        {"number": 3, "key": None, "note": "é"},
    ]

    assert await call(shop.load.copy, rows) == 3
    assert await call(shop.list_items) == [
        Item("a\tb\n\\", 1, None),
        Item("", 2, "\\N"),
        Item(None, 3, "é"),
    ]
    assert await call(shop.load.copy, iter(())) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", "x", None), "number must be an int, not str"),
        (("a", 1), "row must have 3 values: key, number, note"),
        (
            {"key": "a", "number": 1, "nope": None},
            "the columns of the copy; nope, note",
        ),
    ],
)
async def test_a_copy_checks_each_row(shop: Shop, call: Caller, row: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        await call(shop.load.copy, [("z", 1, None), row])

    assert notes(caught.value) == "in row 2 of the copy"
    assert await call(shop.count_items) == 0


async def test_a_copy_that_the_server_refuses_changes_nothing(shop: Shop, call: Caller) -> None:
    with pytest.raises(Exception, match="number") as caught:
        await call(shop.load.copy, [("a", 1, None), ("b", None, None)])

    assert isinstance(caught.value.__cause__, NotNullViolation)
    assert await call(shop.count_items) == 0


def test_rows_that_fail_while_they_are_made_end_the_copy(
    shop: Shop, plain: Connection[Any]
) -> None:
    def rows() -> Iterator[tuple[str, int, None]]:
        yield "a", 1, None
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        shop.load.copy(plain, rows())
    assert shop.count_items(plain) == 0


@pytest.mark.parametrize("row", ["abc", {"a", "b", "c"}, 5, (each for each in ("a", 1, "b"))])
def test_a_copy_takes_nothing_else_for_a_row(
    shop: Shop, plain: Connection[Any], row: object
) -> None:
    rule = f"row must be a sequence or a mapping, not {type(row).__name__}"

    with pytest.raises(ValidationError, match=rule) as caught:
        shop.load.copy(plain, [("a", 1, None), row])

    assert "in row 2 of the copy" in notes(caught.value)
    assert shop.count_items(plain) == 0


def test_rows_that_are_read_through_the_connection_of_their_copy_are_refused(
    shop: Shop, plain: Connection[Any]
) -> None:
    for read in (
        lambda: shop.count_items(plain),
        lambda: next(shop.series.stream(plain, 1)),
        lambda: shop.add.batch(plain, [{"key": "a", "number": 1}]),
        lambda: shop.load.copy(plain, []),
    ):
        with pytest.raises(psycopg.InterfaceError, match="in use by the copy"):
            shop.load.copy(plain, (("a", read(), None) for _ in range(2)))

    assert shop.count_items(plain) == 0


async def test_a_copy_that_is_cancelled_as_it_begins_leaves_no_connection_half_way(
    shop: Shop, aplain: AsyncConnection[Any], bare_url: str
) -> None:
    task = asyncio.create_task(shop.load.copy(aplain, []))
    await asyncio.sleep(0)  # Until it is sent; its answer comes while nobody reads.
    with psycopg.connect(bare_url, autocommit=True) as watcher:
        give_up_at = time.monotonic() + 10
        while not watcher.execute(AWAITS_ROWS, [aplain.info.backend_pid]).fetchone():
            assert time.monotonic() < give_up_at, "the copy never began"
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert aplain.closed


async def test_a_query_amid_the_batch_of_another_task_says_so(
    shop: Shop, aplain: AsyncConnection[Any]
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        # The pipeline takes the lock twice, and waits for the second time before the query does.
        async with aplain.lock:
            begun = asyncio.create_task(stack.enter_async_context(aplain.pipeline()))
            await asyncio.sleep(0)
            again = asyncio.create_task(aplain.lock.acquire())
            await asyncio.sleep(0)
        await again
        counted = asyncio.create_task(shop.count_items(aplain))
        await asyncio.sleep(0)
        aplain.lock.release()
        await begun
        with pytest.raises(psycopg.InterfaceError, match="amid the batch that another task"):
            await counted

    assert await shop.count_items(aplain) == 0


def test_a_copy_is_no_call_and_a_call_no_copy(shop: Shop, plain: Connection[Any]) -> None:
    load: Any = shop.load
    with pytest.raises(TypeError, match=r"call its .copy\(conn, rows\)"):
        load(plain, key="a", number=1, note=None)
    with pytest.raises(TypeError, match=r"call its .copy\(conn, rows\)"):
        load.batch(plain, [])
    with pytest.raises(TypeError, match=r"shop.add is no copy statement"):
        shop.add.copy(plain, [])
