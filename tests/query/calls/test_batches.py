"""Batches check every row before they send one, and name the row that failed."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
import pytest
from psycopg.errors import UniqueViolation

from taskdb.errors import IntegrityError, NotFoundError, ValidationError
from tests.query.calls.items import Caller, Item, Shop, notes


async def test_a_batch_gives_the_result_of_each_row(shop: Shop, call: Caller) -> None:
    rows = [{"key": f"k{number}", "number": number} for number in range(1000)]
    filters: list[dict[str, Any]] = [{"key": "k7"}, {"low": 8, "high": 9}, {"key": "-"}]

    assert await call(shop.add.batch, rows) == list(range(1000))
    assert await call(shop.list_items.batch, filters) == [
        [Item("k7", 7, None)],
        [Item("k8", 8, None), Item("k9", 9, None)],
        [],
    ]
    assert await call(shop.clear.batch, [{}, {}]) == [1000, 0]
    assert await call(shop.clear.batch, []) == []


async def test_a_batch_checks_every_row_before_it_sends_one(shop: Shop, call: Caller) -> None:
    with pytest.raises(ValidationError, match="number must be an int") as caught:
        await call(shop.add.batch, [{"key": "a", "number": 1}, {"key": "b", "number": "2"}])
    assert notes(caught.value) == "in row 2 of the batch"
    with pytest.raises(TypeError, match="missing 1 required") as lacking:
        await call(shop.add.batch, [{"key": "a"}])
    assert notes(lacking.value) == "in row 1 of the batch"

    assert await call(shop.count_items) == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 2000])
async def test_a_batch_names_the_row_that_failed(
    shop: Shop, call: Caller, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"key": f"k{number % (size - 3)}", "number": number} for number in range(size)]

    with caplog.at_level(logging.WARNING), pytest.raises(IntegrityError) as caught:
        await call(shop.add.batch, rows)
    assert isinstance(caught.value.__cause__, UniqueViolation)
    assert f"in row {size - 2} of the batch" in notes(caught.value)
    assert caplog.messages == []
    assert await call(shop.count_items) == 0


async def test_a_batch_that_loses_its_connection_says_so(shop: Shop, call: Caller) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        await call(shop.stop.batch, [{"n": n} for n in range(5000)])

    assert "shop.stop at sql/shop.sql:51:1" in notes(caught.value)


async def test_a_batch_names_the_row_that_found_nothing(shop: Shop, call: Caller) -> None:
    await call(shop.add, key="a", number=1)

    with pytest.raises(NotFoundError, match="for key='b'") as caught:
        await call(shop.change.batch, [{"key": "a"}, {"key": "b"}])
    assert notes(caught.value) == "in row 2 of the batch"
