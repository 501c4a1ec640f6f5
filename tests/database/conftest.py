"""Pools on an empty database, a server to stop and start, and roles of a workspace."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator

import pytest

from taskdb.database import AsyncDatabase, Database, connect, roles
from taskdb.embedded import Server, throwaway
from tests.database.privileges import Conn, MakeRole


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


@pytest.fixture
def owner(database_url: str) -> Generator[Conn]:
    with connect(database_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def as_role(owner: Conn, make_role: MakeRole) -> Generator[Callable[[roles.Kind], Conn]]:
    """Open a connection of a new role that was granted workspace taskdb as this kind."""
    opened: list[Conn] = []

    def open_as(kind: roles.Kind) -> Conn:
        role, url = make_role()
        roles.grant(owner, "taskdb", role, kind)
        opened.append(connect(url, autocommit=True))
        return opened[-1]

    yield open_as
    for conn in opened:
        conn.close()
