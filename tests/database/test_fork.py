"""A forked process: its parent keeps its sessions, and the child has some of its own."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from taskdb import AsyncDatabase, Database
from taskdb.database import connect
from taskdb.queries import tasks

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def in_child(act: Callable[[], object]) -> bool:
    """Return whether a forked process could do *act*."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def process_of(database: Database) -> int:
    with database.connection() as conn:
        return conn.info.backend_pid


def test_a_pool_connects_again_in_a_child(database_url: str) -> None:
    with Database(database_url, pool_min=1, pool_max=1) as database:
        process = process_of(database)

        def uses_it() -> None:
            assert process_of(database) != process
            database.close()

        assert in_child(uses_it)
        assert process_of(database) == process


async def test_an_async_pool_connects_again_in_a_child(database_url: str) -> None:
    async def process_of(database: AsyncDatabase) -> int:
        async with database.connection() as conn:
            return conn.info.backend_pid

    async with AsyncDatabase(database_url, pool_min=1, pool_max=1) as database:
        process = await process_of(database)

        def uses_it() -> None:
            asyncio._set_running_loop(None)
            assert asyncio.run(process_of(database)) != process

        assert in_child(uses_it)
        assert await process_of(database) == process


def test_a_block_that_a_child_leaves_is_still_its_parents(database_url: str) -> None:
    with Database(database_url, pool_min=1, pool_max=1) as database:
        with database.connection() as conn:
            tasks.create(conn, key="T", title="the parent's")
            child = os.fork()
            if child == 0:
                with suppress(psycopg.Error):
                    conn.rollback()
                conn.close()
                os._exit(0)
            os.waitpid(child, 0)
        with database.connection() as conn:
            assert tasks.get_by_key(conn, key="T").title == "the parent's"


def test_a_connection_is_its_parents_and_of_no_use_to_a_child(database_url: str) -> None:
    with connect(database_url) as conn:

        def uses_it() -> None:
            with pytest.raises(psycopg.OperationalError, match="closed the connection"):
                tasks.list_tasks(conn)
            conn.close()

        assert in_child(uses_it)
        assert tasks.list_tasks(conn) == []
