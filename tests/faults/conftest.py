"""A durable server of these tests' own, to kill, and databases on it."""

from __future__ import annotations

import itertools
from collections.abc import Generator

import psycopg
import pytest
from psycopg import sql

from taskdb import migrations
from taskdb.database import connecting
from taskdb.embedded import Server
from taskdb.testing.databases import make_url

NUMBERS = itertools.count()
# Acknowledged writes outlive the server's processes; faults of the machine are not injected.
DURABLE = {
    "fsync": "off",
    "autovacuum": "off",
    "deadlock_timeout": "200ms",
    # A session that sets synchronous_commit to on waits in its commit, after the flush.
    "wal_level": "replica",
    "max_wal_senders": "2",
    "synchronous_commit": "local",
    "synchronous_standby_names": "nobody",
}


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    server = Server(tmp_path_factory.mktemp("faults"), database="postgres", settings=DURABLE)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def migrated(own_server: Server) -> str:
    """Name of a migrated database on the server, to clone."""
    execute(own_server.url, sql.SQL("create database migrated"))
    migrations.up(make_url(own_server.url, dbname="migrated"))
    return "migrated"


@pytest.fixture
def server(own_server: Server) -> Server:
    own_server.start()
    return own_server


@pytest.fixture
def url(server: Server, migrated: str) -> str:
    """A migrated database of the test's own; the role in it is a superuser."""
    return create(server, template=migrated)


@pytest.fixture
def empty_url(server: Server) -> str:
    return create(server, template="template0")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients lose patience with a silent server soon."""
    monkeypatch.setattr(connecting, "GRACE_SECONDS", 0.3)
    # The limit of a connection that is being made.
    monkeypatch.setattr("taskdb.database.connections.GuardedConnection.limit", 0.3)
    monkeypatch.setattr("taskdb.database.connections_async.AsyncGuardedConnection.limit", 0.3)
    monkeypatch.setattr("taskdb.database.connections.CHECK_SECONDS", 0.3)
    monkeypatch.setattr("taskdb.database.connections_async.CHECK_SECONDS", 0.3)


def create(server: Server, *, template: str) -> str:
    name = f"fault_{next(NUMBERS)}"
    make = sql.SQL("create database {} template {}")
    execute(server.url, make.format(sql.Identifier(name), sql.Identifier(template)))
    return make_url(server.url, dbname=name)


def execute(url: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement)
