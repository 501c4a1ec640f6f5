"""Pools on an empty database, and a server to stop and start."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import pytest

from taskdb.database import (
    AsyncDatabase,
    Database,
)
from taskdb.embedded import Server, throwaway


@pytest.fixture
def url(empty_database_url: str) -> str:
    return empty_database_url


@pytest.fixture
def db(url: str) -> Generator[Database]:
    with Database(url, check_schema=False) as database:
        yield database


@pytest.fixture
async def adb(url: str) -> AsyncGenerator[AsyncDatabase]:
    async with AsyncDatabase(url, check_schema=False) as database:
        yield database


@pytest.fixture(scope="module")
def own_server() -> Generator[Server]:
    """A server of these tests' own, to stop and start."""
    with throwaway() as running:
        yield running


@pytest.fixture
def server(own_server: Server) -> Server:
    own_server.start()
    return own_server
