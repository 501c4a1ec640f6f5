"""A module's own database, and the sessions that race in it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack

import pytest

from taskdb.testing.databases import Databases
from tests.arena import Arena


@pytest.fixture(scope="module")
def arena(databases: Databases, template: str) -> Generator[Arena]:
    url = databases.clone(template)
    with ExitStack() as stack:
        yield Arena(url, stack)
    databases.drop(url)
