"""A pool on a database of the test's own."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from taskdb import Database


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    with Database(database_url, pool_min=1, pool_max=4) as database:
        yield database
