"""A connection is used inside of its block: afterwards each use is an error, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from taskdb import AsyncDatabase, Database, connect, connect_async
from taskdb.queries import tasks

USES: list[Callable[[Any], Any]] = [
    lambda conn: tasks.create(conn, title="late"),
    lambda conn: conn.execute("insert into tasks (key, title) values ('late', 'late')"),
    lambda conn: conn.cursor().execute("select"),
    lambda conn: conn.transaction().__enter__(),
    lambda conn: conn.commit(),
]
ASYNC_USES: list[Callable[[Any], Any]] = [
    *USES[:3],
    lambda conn: conn.transaction().__aenter__(),
    lambda conn: conn.commit(),
]
ENDED = "went back to the pool|the connection is closed"


def titles(url: str) -> list[str]:
    with connect(url) as conn:
        return [task.title for task in tasks.list_tasks(conn)]


@pytest.mark.parametrize("use", USES)
def test_pooled_connection_refuses_to_work_after_its_block(
    database_url: str, use: Callable[[Any], Any]
) -> None:
    with Database(database_url, pool_min=1, pool_max=1) as database:
        for block in (database.connection, database.transaction):
            with block() as conn:
                tasks.create(conn, title="in time")

            with pytest.raises(psycopg.Error, match=ENDED):
                use(conn)

        kept: list[Any] = []
        database.retrying(kept.append)
        with pytest.raises(psycopg.Error, match=ENDED):
            use(kept[0])
        with database.connection() as conn:  # The pool has lost nothing.
            tasks.create(conn, title="next")

    assert titles(database_url) == ["next", "in time", "in time"]


@pytest.mark.parametrize("use", ASYNC_USES)
async def test_async_pooled_connection_refuses_to_work_after_its_block(
    database_url: str, use: Callable[[Any], Any]
) -> None:
    async with AsyncDatabase(database_url, pool_min=1, pool_max=1) as database:
        for block in (database.connection, database.transaction):
            async with block() as conn:
                await tasks.create(conn, title="in time")

            with pytest.raises(psycopg.Error, match=ENDED):
                await use(conn)

        async with database.connection() as conn:
            await tasks.create(conn, title="next")

    assert titles(database_url) == ["next", "in time", "in time"]


@pytest.mark.parametrize("use", USES)
def test_single_connection_refuses_to_work_after_its_block(
    database_url: str, use: Callable[[Any], Any]
) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, title="in time")

    with pytest.raises(psycopg.Error, match=ENDED):
        use(conn)

    assert titles(database_url) == ["in time"]


@pytest.mark.parametrize("use", ASYNC_USES)
async def test_async_single_connection_refuses_to_work_after_its_block(
    database_url: str, use: Callable[[Any], Any]
) -> None:
    async with await connect_async(database_url) as conn:
        await tasks.create(conn, title="in time")

    with pytest.raises(psycopg.Error, match=ENDED):
        await use(conn)

    assert titles(database_url) == ["in time"]


def test_cursor_ends_with_the_block(database_url: str) -> None:
    with Database(database_url, pool_min=1, pool_max=1) as database:
        with database.transaction() as conn:
            cursor = conn.cursor()

        with pytest.raises(psycopg.Error, match=ENDED):
            cursor.execute("insert into tasks (title) values ('late')")
