"""A call: conditions, variants, the caller's connection and its transaction."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from taskdb.errors import NotFoundError, ValidationError
from taskdb.query import _decisions as execution
from tests.query.calls.items import Caller, Item, Shop, notes

# Conditions


async def test_a_filter_that_is_none_is_left_out(shop: Shop, call: Caller) -> None:
    for number in (1, 2, 3):
        await call(shop.add, key=f"k{number}", number=number, note="n" if number == 2 else None)

    async def keys(**filters: Any) -> list[str | None]:
        return [item.key for item in await call(shop.list_items, **filters)]

    assert await keys() == ["k1", "k2", "k3"]
    assert await keys(key="k2") == ["k2"]
    assert await keys(low=2, high=3) == ["k2", "k3"]
    assert await keys(low=2, high=3, bare=True) == ["k3"]
    assert await keys(low=1, high=1, key="k2") == []


def test_half_a_pair_of_filters_is_refused(shop: Shop, plain: Connection[Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        shop.list_items(plain, low=2)

    assert caught.value.field == "high"
    assert caught.value.rule == "must be given together with low"
    assert caught.value.where == "sql/shop.sql:18:43"


async def test_unset_leaves_a_column_and_none_clears_it(shop: Shop, call: Caller) -> None:
    await call(shop.add, key="a", number=1, note="n")

    assert await call(shop.change, key="a") == Item("a", 1, "n")
    assert await call(shop.change, key="a", number=2) == Item("a", 2, "n")
    assert await call(shop.change, key="a", note=None) == Item("a", 2, None)
    assert await call(shop.change, key="a", number=3, note="m") == Item("a", 3, "m")
    with pytest.raises(NotFoundError, match=r"no row was found for key='b', number='4'"):
        await call(shop.change, key="b", number=4)


def test_each_variant_is_one_prepared_statement(shop: Shop, plain: Connection[Any]) -> None:
    plain.prepare_threshold = 0
    for low in (1, 100_000, 2**31 - 1):
        shop.list_items(plain, low=low, high=low, key="a" if low > 1 else None)

    statements = plain.execute(
        "select statement from pg_prepared_statements where statement like 'select /* taskdb:%'"
    ).fetchall()
    assert len(statements) == 2
    assert all(text.startswith("select /* taskdb:shop.list_items */") for (text,) in statements)


def test_the_server_sees_the_query_name(shop: Shop, plain: Connection[Any]) -> None:
    shop.count_items(plain)

    seen = plain.execute(
        "select query from pg_stat_activity where pid = pg_backend_pid()"
    ).fetchone()
    assert seen
    assert plain.info.backend_pid
    with psycopg.connect(plain.info.dsn, password=plain.info.password) as other:
        shop.count_items(plain)
        query = other.execute(
            "select query from pg_stat_activity where pid = %s", [plain.info.backend_pid]
        ).fetchone()
    assert query == ("select /* taskdb:shop.count_items */ count(*) from items",)


def test_only_so_many_variants_are_kept(
    shop: Shop, plain: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "MAX_VARIANTS", 2)

    for filters in ({}, {"key": "a"}, {"bare": True}, {"key": "a", "bare": True}, {}):
        assert shop.list_items(plain, **filters) == []


# The caller's connection and transaction


async def test_what_is_no_connection_is_refused(shop: Shop) -> None:
    not_a_connection: Any = "postgresql://"
    for run in (shop.count_items, shop.list_items.stream):
        with pytest.raises(TypeError, match="runs on a psycopg connection, not on a str"):
            run(not_a_connection)
    with pytest.raises(TypeError, match="not on a str"):
        shop.add.batch(not_a_connection, [])
    with pytest.raises(TypeError, match="not on a str"):
        shop.load.copy(not_a_connection, [])


def test_no_query_commits(shop: Shop, plain: Connection[Any]) -> None:
    plain.autocommit = False
    shop.add(plain, key="a", number=1)
    shop.add.batch(plain, [{"key": "b", "number": 2}])
    shop.load.copy(plain, [("c", 3, None)])
    assert len(list(shop.list_items.stream(plain))) == 3

    plain.rollback()

    assert shop.count_items(plain) == 0


async def test_a_query_in_a_pipeline_has_its_result(shop: Shop, call: Caller) -> None:
    async def body() -> None:
        assert await call(shop.add, key="a", number=1) == 1
        assert await call(shop.clear) == 1
        with pytest.raises(NotFoundError):
            await call(shop.change, key="z")
        with pytest.raises(psycopg.errors.DivisionByZero) as caught:
            await call(shop.divide, 0)
        assert "shop.divide at sql/shop.sql:48:1" in notes(caught.value)

    if isinstance(call.conn, AsyncConnection):
        async with call.conn.pipeline():
            await body()
    else:
        with call.conn.pipeline():
            await body()
