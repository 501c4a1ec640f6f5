"""A server that is gone, restarted or silent."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
from datetime import timedelta
from typing import cast

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from taskdb.database import AsyncDatabase, Database, connect, connect_async
from taskdb.database.connections import GuardedConnection
from taskdb.embedded import Server
from taskdb.errors import DatabaseError, DatabaseNotFoundError
from tests.database.test_database import one
from tests.waiting import wait_until

# A server that is gone


def test_nothing_configured_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DatabaseNotFoundError, match="no database is configured") as error:
        Database()

    assert "DATABASE_URL" in str(error.value)


def test_refused_connection_names_the_place_and_the_source() -> None:
    with pytest.raises(DatabaseNotFoundError) as error:
        Database("postgresql://app:s3cret@127.0.0.1:1/plans").open()

    assert "database plans at 127.0.0.1, port 1 cannot be reached" in str(error.value)
    assert "comes from the connection string given; is the server running" in str(error.value)
    assert "s3cret" not in str(error.value)


def test_a_password_that_is_missing_is_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        port = server.getsockname()[1]

        def ask() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1024)
                client.sendall(b"R" + struct.pack("!ii", 8, 3))  # AuthenticationCleartextPassword
                client.recv(1024)

        asking = threading.Thread(target=ask)
        asking.start()
        with pytest.raises(DatabaseNotFoundError, match="Give the password in the connection str"):
            connect(f"postgresql://app@127.0.0.1:{port}/plans?sslmode=disable&passfile=/dev/null")
        asking.join()


async def test_refused_connection_is_told_asynchronously_too() -> None:
    with pytest.raises(DatabaseNotFoundError, match="port 1 cannot be reached"):
        await AsyncDatabase("postgresql://127.0.0.1:1/plans").open()
    with pytest.raises(DatabaseNotFoundError, match="port 1 cannot be reached"):
        await connect_async("postgresql://127.0.0.1:1/plans")


def test_missing_database_and_wrong_user_are_told_by_name(url: str) -> None:
    with pytest.raises(
        DatabaseNotFoundError, match=r'"nowhere" does not exist\. The server is up but refused'
    ):
        connect(psycopg.conninfo.make_conninfo(url, dbname="nowhere"))


@pytest.mark.slow
def test_server_that_never_answers_is_given_up_within_the_connect_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DatabaseNotFoundError, match="timeout"):
            connect(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=1")


async def test_pooler_that_drops_the_settings_is_found_out(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskdb.database.settings.Settings._options", lambda self: "")
    with pytest.raises(DatabaseError, match="did not take the settings of the session"):
        Database(url, check_schema=False).open()
    with pytest.raises(DatabaseError, match="did not take the settings of the session"):
        connect(url)
    with pytest.raises(DatabaseError, match="did not take the settings of the session"):
        await connect_async(url)


@pytest.mark.slow
def test_role_may_bring_the_settings_that_a_pooler_drops(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(server.url) as conn:
        conn.execute("create role planner login")
        conn.execute('alter role planner set search_path = "taskdb",shared,pg_temp')
        conn.execute("alter role planner set timezone = 'UTC'")
    monkeypatch.setattr("taskdb.database.settings.Settings._options", lambda self: "")
    pooled = psycopg.conninfo.make_conninfo(server.url, user="planner")

    with Database(pooled, check_schema=False) as db, db.connection() as conn:
        assert one(conn, "show search_path") == "taskdb, shared, pg_temp"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delay the pool's second attempt until a waiting caller has reached its own timeout."""
    monkeypatch.setattr("psycopg_pool.base.AttemptWithBackoff.INITIAL_DELAY", 1000.0)


@pytest.mark.slow
@pytest.mark.parametrize("idle", [1, 10])
def test_restart_of_the_server_costs_no_wait(server: Server, idle: int, impatient: None) -> None:
    with Database(server.url, check_schema=False, pool_min=idle) as db:
        wait_until(lambda: db.pool_figures().available == idle)
        server.stop()
        server.start()

        with db.connection() as conn:
            assert one(conn, "select 1") == 1


@pytest.mark.slow
async def test_restart_of_the_server_costs_no_wait_asynchronously(
    server: Server, impatient: None
) -> None:
    async with AsyncDatabase(server.url, check_schema=False, pool_min=10) as adb:
        while adb.pool_figures().available < 10:
            await asyncio.sleep(0.005)
        server.stop()
        server.start()

        async with adb.connection() as conn:
            await conn.execute("select 1")


def test_connections_that_died_together_are_renewed_together(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead ones may be found one after another: each by its own wait for the network."""
    drained: list[int] = []
    monkeypatch.setattr(ConnectionPool, "drain", lambda pool: drained.append(1))
    with db.connection() as first, db.connection() as second:
        terminate = "select pg_terminate_backend(pid) from pg_stat_activity where pid in ({}, {})"
        pids = first.info.backend_pid, second.info.backend_pid
        with connect(db.settings.conninfo, autocommit=True) as killer:
            killer.execute(terminate.format(*pids).encode())
        # The server's goodbyes have come.
        wait_until(lambda: len(select.select([first, second], [], [], 0)[0]) == 2)
        check = db.open()._pool._check  # type: ignore[union-attr]
        assert check is not None
        for conn in first, second:
            with pytest.raises(psycopg.OperationalError):
                check(cast(GuardedConnection, conn))

        assert drained == [1]


@pytest.mark.slow
def test_server_that_went_away_is_missed_and_found_again_at_once(
    server: Server, impatient: None
) -> None:
    with Database(server.url, check_schema=False) as db:
        db.health()
        server.stop()
        for _ in range(2):
            with pytest.raises(DatabaseNotFoundError, match="cannot be reached"):
                db.health()

        server.start()
        db.health()


@pytest.mark.slow
def test_request_that_waits_for_a_connection_learns_that_the_server_went_away(
    server: Server,
) -> None:
    learnt: list[BaseException] = []
    with Database(server.url, check_schema=False, pool_max=1) as db:

        def wait() -> None:
            try:
                with db.connection(timeout=timedelta(seconds=1.5)):
                    raise AssertionError("it handed out a connection")
            except DatabaseNotFoundError as error:
                learnt.append(error)

        with db.connection():
            thread = threading.Thread(target=wait)
            thread.start()
            wait_until(lambda: db.pool_figures().requests_that_waited == 2)
            assert db.pool_figures().requests == 2
            server.stop()
        thread.join(10)

    assert len(learnt) == 1


async def test_server_that_went_away_is_missed_asynchronously(server: Server) -> None:
    async with AsyncDatabase(server.url, check_schema=False) as adb:
        await adb.health()
        server.stop()
        with pytest.raises(DatabaseNotFoundError, match="cannot be reached"):
            await adb.health()

        server.start()
        assert (await adb.health()).server_version
