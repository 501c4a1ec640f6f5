"""A pool on a database of the test's own, and a session that waits."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from taskdb import Database
from taskdb.database import Connection, connect
from taskdb.queries import events


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    with Database(database_url, pool_min=1, pool_max=4) as database:
        yield database


@pytest.fixture
def waiting(database_url: str) -> Generator[Connection]:
    """A session that waits for tasks of every type."""
    with connect(database_url, autocommit=True) as conn:
        assert events.start_waiting(conn)
        yield conn
