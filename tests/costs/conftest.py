"""Connections to a database of the test's own."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from taskdb.database import connect
from taskdb.testing.databases import Databases, make_url
from tests.costs.scale import Connection


@pytest.fixture
def conn(database_url: str) -> Generator[Connection]:
    """Return a connection to a database of the test's own: what other tests left is read too."""
    with connect(database_url) as own:
        yield own
        own.rollback()


@pytest.fixture
def session(database_url: str) -> Generator[Connection]:
    """Return a connection whose work is committed."""
    with connect(database_url) as conn:
        yield conn


@pytest.fixture
def superuser(databases: Databases, database_url: str) -> Generator[psycopg.Connection]:
    """Return a connection of a superuser, who may load auto_explain."""
    name = str(conninfo_to_dict(database_url)["dbname"])
    with connect(make_url(databases.admin_url, dbname=name)) as conn:
        yield conn
        conn.rollback()
