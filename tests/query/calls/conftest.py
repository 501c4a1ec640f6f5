"""The items on a connection of either kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from taskdb.testing.databases import Databases
from tests.query.calls.items import Caller, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def bare_url(databases: Databases) -> Generator[str]:
    """A database with nothing in it: the toolkit needs nothing of taskdb's own schema."""
    url = databases.empty()
    yield url
    databases.drop(url)


@pytest.fixture
def plain(bare_url: str, shop: Shop) -> Generator[Connection[Any]]:
    """A connection that psycopg made, with the table of the shop, in no transaction."""
    with psycopg.connect(bare_url, autocommit=True) as conn:
        shop.create_items(conn)
        yield conn


@pytest.fixture
async def aplain(bare_url: str, shop: Shop) -> AsyncGenerator[AsyncConnection[Any]]:
    """The same, asynchronous."""
    conn = await AsyncConnection.connect(bare_url, autocommit=True)
    async with conn:
        await shop.create_items(conn)
        yield conn


@pytest.fixture(params=["sync", "async"])
async def call(
    request: pytest.FixtureRequest, plain: Connection[Any], aplain: AsyncConnection[Any]
) -> Caller:
    return Caller(plain if request.param == "sync" else aplain)
