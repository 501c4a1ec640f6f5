"""Cost of a checkout, and the pool's behaviour where the server falls silent."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

from taskdb import AsyncDatabase, Database
from taskdb.database import connect, connecting
from taskdb.database.connections import GuardedConnection
from taskdb.database.connections_async import AsyncGuardedConnection
from taskdb.database.settings import Settings
from taskdb.embedded import Server, throwaway
from taskdb.errors import DatabaseNotFoundError
from taskdb.queries import claims, session, tasks
from tests.proxy import Proxy
from tests.tiers import first_of

SECOND = timedelta(seconds=1)


# The cost of a checkout


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that each wait for the server adds itself to."""
    seen: list[str] = []
    wait, wait_async = psycopg.Connection.wait, psycopg.AsyncConnection.wait

    def waited(conn: Any, gen: Any, *args: Any) -> Any:
        seen.append(gen.__name__)
        return wait(conn, gen, *args)

    async def waited_async(conn: Any, gen: Any, *args: Any) -> Any:
        seen.append(gen.__name__)
        return await wait_async(conn, gen, *args)

    monkeypatch.setattr(psycopg.Connection, "wait", waited)
    monkeypatch.setattr(psycopg.AsyncConnection, "wait", waited_async)
    return seen


def test_a_job_waits_for_its_statement_and_its_commit_alone(
    database_url: str, waits: list[str]
) -> None:
    with Database(database_url) as db:
        db.retrying(lambda conn: claims.claim_next(conn, agent="a"))
        waits.clear()
        db.retrying(lambda conn: claims.claim_next(conn, agent="a"))
        with db.connection() as conn:
            tasks.list_ready(conn)

    # Beginning is part of the first: psycopg's cursor sends BEGIN itself.
    assert waits == ["_execute_gen", "_commit_gen"] * 2


async def test_an_asynchronous_job_waits_no_more(database_url: str, waits: list[str]) -> None:
    async with AsyncDatabase(database_url) as db:
        await db.retrying(lambda conn: claims.claim_next(conn, agent="a"))
        waits.clear()
        await db.retrying(lambda conn: claims.claim_next(conn, agent="a"))

    assert waits == ["_execute_gen", "_commit_gen"]


@pytest.mark.parametrize(
    "use",
    [
        lambda conn: conn.execute("select 1"),
        lambda conn: conn.cursor().execute("select 1"),
        lambda conn: session.set_statement_timeout(conn, "5s"),
        lambda conn: setattr(conn, "row_factory", psycopg.rows.dict_row),
        lambda conn: setattr(conn, "isolation_level", IsolationLevel.SERIALIZABLE),
    ],
)
def test_what_may_change_the_session_has_it_reset(
    database_url: str, waits: list[str], use: Callable[[psycopg.Connection], object]
) -> None:
    with Database(database_url, pool_min=1, pool_max=1) as db:
        with db.connection() as conn:
            waits.clear()
            use(conn)
        assert "execute" in waits
        waits.clear()
        with db.connection() as conn:
            tasks.list_ready(conn)

    assert waits == ["_execute_gen", "_commit_gen"]


def test_a_connection_that_sat_idle_is_checked(
    database_url: str, waits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "IDLE_SECONDS", -1.0)
    with Database(database_url) as db:
        waits.clear()
        with db.connection():
            pass

    assert waits[0] == "execute"


def test_a_waiting_request_counts_once(database_url: str) -> None:
    with Database(database_url, pool_max=1) as db, db.connection():
        before = db.pool_figures()
        with pytest.raises(PoolTimeout), db.connection(timeout=SECOND):
            raise AssertionError("there was a second connection")

        assert db.pool_figures().requests - before.requests == 1
        assert db.pool_figures().requests_that_waited - before.requests_that_waited == 1


def test_a_block_of_one_transaction_holds_transactions_within_it(database_url: str) -> None:
    def marked(conn: psycopg.Connection) -> int:
        with conn.transaction():
            row = conn.execute("select pg_current_xact_id()::text::bigint").fetchone()
        return cast(tuple[int], row)[0]

    with Database(database_url) as db, db.transaction() as conn:
        assert marked(conn) == marked(conn)
        for end in (conn.commit, conn.rollback, lambda: conn.set_autocommit(True)):
            with pytest.raises(psycopg.ProgrammingError, match="forbidden"):
                end()


# A server that falls silent


@pytest.fixture(scope="module")
def own_server() -> Generator[Server]:
    with throwaway() as running:
        yield running


@pytest.fixture
def proxy(own_server: Server) -> Generator[Proxy]:
    with Proxy(own_server.url) as made:
        yield made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients lose patience soon."""
    monkeypatch.setattr(connecting, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr("taskdb.database.connections.CHECK_SECONDS", 0.3)
    monkeypatch.setattr("taskdb.database.connections_async.CHECK_SECONDS", 0.3)


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Stop every process of a server, as a machine that hangs does."""
    pid = server.status().pid
    assert pid is not None
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    processes = [pid, *map(int, children)]
    for each in processes:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in processes:
            # The server, which goes on first, may have ended some of the others.
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)


def stalled(proxy: Proxy) -> Callable[[], Any]:
    @contextmanager
    def stall() -> Iterator[None]:
        proxy.stalled = True
        yield

    return stall


@pytest.fixture(params=first_of(["stalled", "frozen"]))
def silence(
    request: pytest.FixtureRequest, own_server: Server, proxy: Proxy
) -> tuple[str, Callable[[], Any]]:
    """Return a server's URL, and what makes it fall silent for the time of a block."""
    if request.param == "frozen":
        return make_conninfo(own_server.url, connect_timeout=2), lambda: frozen(own_server)
    return proxy.url, stalled(proxy)


Silence = tuple[str, Callable[[], Any]]


@pytest.mark.usefixtures("hasty")
def test_a_call_under_way_is_given_up(silence: Silence) -> None:
    url, falls_silent = silence
    db = Database(url, check_schema=False, statement_timeout=SECOND / 2, pool_min=1, pool_max=1)
    with db, db.connection() as conn, falls_silent():
        with pytest.raises(DatabaseNotFoundError, match=r"did not answer within 0\.8 seconds"):
            session.statement_timeout(conn)

        assert conn.closed


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
async def test_an_asynchronous_call_under_way_is_given_up(silence: Silence) -> None:
    url, falls_silent = silence
    db = AsyncDatabase(url, check_schema=False, statement_timeout=SECOND / 2, pool_min=1)
    async with db, db.connection() as conn:
        with falls_silent(), pytest.raises(DatabaseNotFoundError, match="did not answer"):
            await session.statement_timeout(conn)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("idle", [False, True])
def test_health_and_checkout_are_given_up(
    silence: Silence, idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, falls_silent = silence
    db = Database(url, check_schema=False, statement_timeout=SECOND / 2, pool_min=1, pool_max=1)
    with db:
        with db.connection():
            pass
        if idle:
            monkeypatch.setattr(connecting, "IDLE_SECONDS", -1.0)
        with falls_silent():
            for _ in range(2):
                with pytest.raises(DatabaseNotFoundError):
                    db.health()


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_a_longer_statement_timeout_is_waited_for(own_server: Server) -> None:
    db = Database(own_server.url, check_schema=False, statement_timeout=SECOND / 2)
    with db, db.connection() as conn:
        session.set_statement_timeout(conn, "60s")
        assert conn.execute("select pg_sleep(1.5)").rowcount == 1
    with db, db.connection() as conn:
        conn.execute("set local statement_timeout = 0")
        assert conn.execute("select pg_sleep(1.5)").rowcount == 1


@pytest.mark.parametrize(
    ("timeout", "limit"),
    [("0", None), ("1500ms", 6.5), ("3s", 8.0), ("60s", 65.0), ("2h", 7205.0), ("1d", 86405.0)],
)
def test_a_limit_follows_the_statement_timeout(
    own_server: Server, timeout: str, limit: float | None
) -> None:
    url = make_conninfo(own_server.url, options=f"-c statement_timeout={timeout}")
    with connect(url) as conn:
        assert cast(GuardedConnection, conn).limit == limit
    with Database(url, check_schema=False) as db, db.connection() as conn:
        assert cast(GuardedConnection, conn).limit == limit


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_listening_is_not_waiting_for_an_answer(own_server: Server) -> None:
    db = Database(own_server.url, check_schema=False, statement_timeout=SECOND / 2)
    with db, db.connection() as conn:
        conn.execute("listen news")
        conn.commit()
        assert list(conn.notifies(timeout=1.5)) == []


# Refusals told apart


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("FATAL:  the database system is starting up", "is starting: try again"),
        ("FATAL:  the database system is not yet accepting connections", "is starting"),
        ("FATAL:  the database system is in recovery mode", "recovers"),
        ("FATAL:  the database system is shutting down", "is shutting down"),
        ("FATAL:  sorry, too many clients already", "max_connections"),
        ("FATAL:  remaining connection slots are reserved for roles with", "max_connections"),
        ('FATAL:  too many connections for role "app"', "max_connections"),
        ('FATAL:  password authentication failed for user "app"', "the user, the password"),
        ("Connection refused", "is the server running there"),
    ],
)
def test_refusals_are_told_apart(said: str, hint: str) -> None:
    settings = Settings.read("postgresql://app@db.example/plans", environ={})

    error = connecting.not_found(settings, psycopg.OperationalError(f"connection failed: {said}"))

    assert hint in str(error)
    assert ("password" in str(error)) == ("password" in said)


def test_who_waits_keeps_waiting_while_the_server_merely_takes_no_more(own_server: Server) -> None:
    url = make_conninfo(own_server.url, user="single")
    with connect(own_server.url) as owner:
        owner.execute("create role single login connection limit 1")
    with (
        connect(own_server.url, autocommit=True) as admin,
        Database(url, check_schema=False, pool_min=0, pool_max=2) as db,
    ):
        # The connection that it tried the server with is gone.
        while admin.execute("select from pg_stat_activity where usename = 'single'").rowcount:
            time.sleep(0.005)
        with db.connection():
            waited: list[int] = []
            thread = threading.Thread(target=lambda: waited.append(one_of(db)))
            thread.start()
            while not db._refusal:
                time.sleep(0.005)
        thread.join(10)

    assert waited == [1]


def one_of(db: Database) -> int:
    with db.connection() as conn:
        return conn.execute("select 1").rowcount


def test_both_kinds_guard_the_same() -> None:
    assert vars(GuardedConnection).keys() == vars(AsyncGuardedConnection).keys()
