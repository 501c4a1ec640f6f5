"""Connections and pools: what they begin with, how they end, and what they survive."""

from __future__ import annotations

import asyncio
import inspect
import logging
import select
import socket
import struct
import threading
import traceback
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.adapt import PyFormat
from psycopg.errors import DeadlockDetected, QueryCanceled, SerializationFailure
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from taskdb import migrations
from taskdb.database import (
    AsyncDatabase,
    Connection,
    Database,
    connect,
    connect_async,
)
from taskdb.database.connections import GuardedConnection
from taskdb.embedded import Server, throwaway
from taskdb.errors import (
    DatabaseError,
    DatabaseNotFoundError,
    SchemaVersionMismatchError,
    ValidationError,
)
from tests.waiting import wait_until

# Its own: other tests hold some too.
ADVISORY_LOCKS = (
    "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
)
IS_SLEEPING = (
    "select exists (select from pg_stat_activity where wait_event = 'PgSleep'"
    " and datname = current_database())"
)
SESSION = (
    "select current_setting('search_path'), current_setting('TimeZone'),"
    " current_setting('statement_timeout'), current_setting('application_name')"
)
AS_BEGUN = ('"taskdb",shared,pg_temp', "UTC", "1min", "taskdb")


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


def one(conn: psycopg.Connection[Any], statement: str) -> Any:
    row = conn.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


# What a connection begins with


def test_connection_begins_in_its_workspace_in_utc_with_a_statement_timeout(url: str) -> None:
    with connect(url) as conn:
        assert conn.execute(SESSION).fetchone() == AS_BEGUN


async def test_asynchronous_connection_begins_the_same(url: str) -> None:
    async with await connect_async(url) as conn:
        cursor = await conn.execute(SESSION)

        assert await cursor.fetchone() == AS_BEGUN


def test_server_side_cursor_takes_numbered_parameters_too(url: str) -> None:
    with connect(url) as conn, conn.cursor("streamed") as cursor:
        assert cursor.execute("select $1::integer", [1]).fetchone() == (1,)


async def test_asynchronous_server_side_cursor_takes_numbered_parameters_too(url: str) -> None:
    async with await connect_async(url) as conn, conn.cursor("streamed") as cursor:
        await cursor.execute("select $1::integer", [1])

        assert await cursor.fetchone() == (1,)


def test_workspace_may_bear_a_name_that_sql_reserves(url: str) -> None:
    with connect(url, workspace="select") as conn:
        conn.execute('create schema "select"')
        conn.execute("create table here (only_column integer)")

        assert one(conn, "select schemaname from pg_tables where tablename = 'here'") == "select"


def test_workspace_comes_from_the_environment_where_no_argument_says_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKDB_WORKSPACE", "team_a")
    with connect(url) as conn:
        assert one(conn, "show search_path") == '"team_a",shared,pg_temp'


def test_temporary_table_hides_no_table(url: str) -> None:
    with connect(url) as conn:
        conn.execute("create schema taskdb")
        conn.execute("create table tasks as select 'the table' as kind")
        conn.execute("create temporary table tasks as select 'temporary' as kind")

        assert one(conn, "select kind from tasks") == "the table"


def test_moments_come_back_in_utc(url: str) -> None:
    with connect(url) as conn:
        conn.execute("select set_config('TimeZone', $1, false)", ["UTC"])
        moment = one(conn, "select timestamptz '2026-01-02 03:04:05+05'")

    assert moment == datetime(2026, 1, 1, 22, 4, 5, tzinfo=UTC)
    assert moment.tzinfo is UTC


def test_json_goes_through_orjson_both_ways(url: str) -> None:
    stored = {"at": datetime(2026, 1, 2, tzinfo=UTC), "n": [1, None, 2.5, "é😀"]}
    with connect(url) as conn:
        row = conn.execute("select $1::jsonb", [Jsonb(stored)]).fetchone()

    assert row == ({"at": "2026-01-02T00:00:00+00:00", "n": [1, None, 2.5, "é😀"]},)


@pytest.mark.parametrize("value", [{"a": [1.0, float("nan")]}, (float("-inf"),), 2**64, {1: 2}])
def test_json_refuses_what_it_would_change(url: str, value: object) -> None:
    with connect(url) as conn, pytest.raises(ValidationError, match="cannot be stored as JSON"):
        conn.execute("select $1", [Jsonb(value)])


def test_settings_of_the_url_stand_beside_those_of_taskdb(url: str) -> None:
    options = (
        "options=-c%20statement_timeout%3D5s%20-c%20search_path%3Dpublic&application_name=mine"
    )
    with connect(f"{url}{'&' if '?' in url else '?'}{options}") as conn:
        assert conn.execute(SESSION).fetchone() == (*AS_BEGUN[:2], "5s", "mine")


def test_statement_that_runs_too_long_is_cancelled(url: str) -> None:
    limit = timedelta(milliseconds=20)
    with (
        Database(url, check_schema=False, statement_timeout=limit) as db,
        db.connection() as conn,
        pytest.raises(QueryCanceled),
    ):
        conn.execute("select pg_sleep(10)")


# What a pool promises


def test_connection_commits_at_the_end_and_rolls_back_on_an_error(db: Database) -> None:
    with db.connection() as conn:
        conn.execute("create schema taskdb create table kept (n integer)")

    def fail(conn: Connection) -> None:
        conn.execute("insert into kept values (1)")
        raise RuntimeError

    with pytest.raises(RuntimeError), db.connection() as conn:
        fail(conn)

    with db.connection() as conn:
        assert one(conn, "select count(*) from kept") == 0


def test_returned_connection_forgets_its_last_user(url: str) -> None:
    with Database(url, check_schema=False, pool_min=1, pool_max=1) as db:
        with db.connection() as conn:
            first = conn
            conn.execute("select set_config('search_path', 'pg_catalog', false)")
            conn.execute("select set_config('statement_timeout', '2min', false)")
            conn.execute("create temporary table left_over (n integer)")
            conn.execute("select pg_advisory_lock(1)")
            conn.execute("listen gossip")
            conn.execute("declare held cursor with hold for select 1")
            conn.commit()
            conn.isolation_level = IsolationLevel.SERIALIZABLE
            conn.read_only = True
            conn.row_factory = psycopg.rows.dict_row  # type: ignore[assignment]
            conn.cursor_factory = psycopg.Cursor

        with db.connection() as conn:
            assert conn is first
            assert conn.execute(SESSION).fetchone() == AS_BEGUN
            assert one(conn, "select count(*) from pg_cursors where is_holdable") == 0
            assert one(conn, "select count(*) from pg_listening_channels()") == 0
            assert one(conn, "select to_regclass('pg_temp.left_over') is null")
            assert one(conn, ADVISORY_LOCKS) == 0
            assert one(conn, "show transaction_isolation") == "read committed"
            assert one(conn, "show transaction_read_only") == "off"
            assert conn.execute("select $1::integer", [1]).fetchone() == (1,)


async def test_returned_asynchronous_connection_forgets_its_last_user(url: str) -> None:
    async with AsyncDatabase(url, check_schema=False, pool_min=1, pool_max=1) as adb:
        async with adb.connection() as conn:
            first = conn
            await conn.execute("select set_config('search_path', 'pg_catalog', false)")
            await conn.execute("select pg_advisory_lock(1)")
            await conn.commit()
            await conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
            conn.cursor_factory = psycopg.AsyncCursor

        async with adb.connection() as conn:
            assert conn is first
            assert await (await conn.execute(SESSION)).fetchone() == AS_BEGUN
            assert await (await conn.execute(ADVISORY_LOCKS)).fetchone() == (0,)
            isolation = await conn.execute("show transaction_isolation")
            assert await isolation.fetchone() == ("read committed",)


def test_returned_connection_is_itself_again(server: Server) -> None:
    with Database(server.url, check_schema=False, pool_min=1, pool_max=1) as db:
        with db.connection() as conn:
            conn.execute("create role another")
            conn.execute("set role another")
        with db.connection() as conn:
            role = one(conn, "select current_user")
            conn.execute("drop role another")

    assert role == "postgres"


def test_prepared_statements_survive_the_return(url: str) -> None:
    with Database(url, check_schema=False, pool_min=1, pool_max=1) as db:
        for _ in range(7):
            with db.connection() as conn:
                conn.execute("select 'prepared me' where $1", [True])

        with db.connection() as conn:
            statements = "select count(*) from pg_prepared_statements"
            assert one(conn, f"{statements} where statement like '%prepared me%'") == 1


def test_transaction_has_the_properties_it_was_asked_for(db: Database) -> None:
    with db.transaction(IsolationLevel.SERIALIZABLE, read_only=True, deferrable=True) as conn:
        assert one(conn, "show transaction_isolation") == "serializable"
        assert one(conn, "show transaction_read_only") == "on"
        assert one(conn, "show transaction_deferrable") == "on"


async def test_asynchronous_transaction_has_the_properties_it_was_asked_for(
    adb: AsyncDatabase,
) -> None:
    async with adb.transaction(IsolationLevel.REPEATABLE_READ, read_only=True) as conn:
        isolation = await conn.execute("show transaction_isolation")
        assert await isolation.fetchone() == ("repeatable read",)
        read_only = await conn.execute("show transaction_read_only")
        assert await read_only.fetchone() == ("on",)


def test_transaction_cannot_be_ended_from_within(db: Database) -> None:
    with db.transaction() as conn, pytest.raises(psycopg.ProgrammingError, match="commit"):
        conn.commit()


def test_connection_that_died_in_use_is_replaced_and_its_error_told(url: str) -> None:
    with Database(url, check_schema=False, pool_min=1, pool_max=1) as db:
        with db.connection() as conn:
            first = conn.info.backend_pid
        with pytest.raises(psycopg.OperationalError), db.connection() as conn:
            conn.execute("select pg_terminate_backend(pg_backend_pid())")

        with db.connection() as conn:
            assert conn.info.backend_pid != first
            assert one(conn, "select 1") == 1


def test_connection_that_cannot_be_reset_is_replaced(url: str) -> None:
    with Database(url, check_schema=False, pool_min=1, pool_max=1) as db:
        with db.connection() as conn:
            first = conn
            with connect(url, autocommit=True) as killer:
                killer.execute("select pg_terminate_backend($1)", [conn.info.backend_pid])
            # The server's goodbye has come.
            assert select.select([conn], [], [], 10)[0]

        with db.connection() as conn:
            assert conn is not first
            assert conn.execute(SESSION).fetchone() == AS_BEGUN


def test_connection_that_its_user_closed_is_replaced(url: str) -> None:
    with Database(url, check_schema=False, pool_min=1, pool_max=1) as db:
        with db.connection() as conn:
            conn.close()

        with db.connection() as conn:
            assert one(conn, "select 1") == 1


async def test_connection_of_a_cancelled_task_serves_the_next(url: str) -> None:
    async with AsyncDatabase(url, check_schema=False, pool_min=1, pool_max=1) as adb:

        async def sleep() -> None:
            async with adb.connection() as conn:
                await conn.execute("select pg_sleep(60)")

        task = asyncio.create_task(sleep())
        while adb.pool_figures().lent == 0:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async with adb.connection() as conn:
            assert await (await conn.execute(SESSION)).fetchone() == AS_BEGUN
        assert adb.pool_figures().lent == 0


async def test_connection_whose_user_is_cancelled_while_it_is_reset_is_replaced(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncDatabase(url, check_schema=False, pool_min=1, pool_max=1) as adb:

        async def lend() -> None:
            async with adb.connection() as conn:
                await conn.execute("select 1")

        with monkeypatch.context() as patch, connect(url, autocommit=True) as watcher:
            patch.setattr("taskdb.database.connections_async.RESET", b"select pg_sleep(60)")
            task = asyncio.create_task(lend())
            while not one(watcher, IS_SLEEPING):
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        async with adb.connection() as conn:
            assert not conn.autocommit
            assert await (await conn.execute(SESSION)).fetchone() == AS_BEGUN


def test_connection_s_adapters_are_made_once(url: str) -> None:
    """psycopg derives each dumper from the one before: after 1,000 times that took 30 ms."""
    with Database(url, check_schema=False, pool_min=1, pool_max=1) as db:
        dumpers = set()
        for _ in range(3):
            with db.connection() as conn:
                dumpers.add(conn.adapters.get_dumper(Jsonb, PyFormat.TEXT))

        assert len(dumpers) == 1


def test_connection_that_resists_its_reset_is_replaced(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(url, check_schema=False, pool_min=1, pool_max=1) as db:
        with monkeypatch.context() as patch:
            patch.setattr("taskdb.database.connections.RESET", b"select 1 / 0")
            with db.connection() as conn:
                conn.execute("select 1")
                first = conn

        with db.connection() as conn:
            assert conn is not first


def test_exhausted_pool_says_so_and_asks_for_no_connection_beside(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(url, check_schema=False, pool_max=1) as db, db.connection():
        monkeypatch.setattr(db, "_probe", None)
        with (
            pytest.raises(PoolTimeout) as refused,
            db.connection(timeout=timedelta(milliseconds=1)),
        ):
            raise AssertionError("there was a second connection")

        assert "DB_POOL_MAX" in refused.value.__notes__[0]


# Doing it again


class Failing:
    """Fails like the server does, so many times, then does its work."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, conn: Connection) -> int:
        self.calls += 1
        conn.execute("insert into attempts default values")
        if self.errors:
            raise self.errors.pop(0)
        return int(one(conn, "select count(*) from attempts"))

    async def awaited(self, conn: psycopg.AsyncConnection[Any]) -> int:
        self.calls += 1
        await conn.execute("insert into attempts default values")
        if self.errors:
            raise self.errors.pop(0)
        cursor = await conn.execute("select count(*) from attempts")
        return len(await cursor.fetchall())


@pytest.fixture
def attempts(url: str) -> None:
    with connect(url) as conn:
        conn.execute("create schema taskdb create table attempts (id serial)")


@pytest.mark.usefixtures("attempts")
def test_transaction_is_done_again_after_a_lost_race(db: Database) -> None:
    work = Failing(SerializationFailure(), DeadlockDetected())

    assert db.retrying(work) == 1

    assert work.calls == 3
    assert db.health().pool.retries == 2
    assert db.health().pool.retries_given_up == 0


@pytest.mark.usefixtures("attempts")
async def test_asynchronous_transaction_is_done_again_after_a_lost_race(
    adb: AsyncDatabase,
) -> None:
    work = Failing(SerializationFailure(), DeadlockDetected())

    assert await adb.retrying(work.awaited) == 1

    assert work.calls == 3
    assert (await adb.health()).pool.retries == 2


@pytest.mark.usefixtures("attempts")
def test_retrying_gives_up_in_the_end_with_the_last_failure(db: Database) -> None:
    failures = [SerializationFailure(str(number)) for number in range(3)]
    with pytest.raises(SerializationFailure) as failure:
        db.retrying(Failing(*failures), attempts=3)

    assert failure.value is failures[-1]
    assert failure.value.__notes__ == ["taskdb gave up after 3 attempts"]
    assert (db.pool_figures().retries, db.pool_figures().retries_given_up) == (2, 1)


@pytest.mark.usefixtures("attempts")
def test_other_errors_are_not_tried_again(db: Database) -> None:
    work = Failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        db.retrying(work)

    assert work.calls == 1


def test_number_of_attempts_is_at_least_one(db: Database) -> None:
    with pytest.raises(ValidationError, match="attempts"):
        db.retrying(lambda conn: None, attempts=0)


def test_pauses_between_attempts_grow_but_are_random(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []

    def choose(low: float, high: float) -> float:
        limits.append(high)
        return low

    monkeypatch.setattr("random.uniform", choose)

    def work(conn: Connection) -> None:
        if len(limits) < 9:
            raise SerializationFailure

    db.retrying(work, attempts=10)

    assert limits[:3] == [0.01, 0.02, 0.04]
    assert limits[-2:] == [1.0, 1.0]


@pytest.mark.usefixtures("attempts")
def test_race_that_only_the_commit_loses_is_run_again(db: Database) -> None:
    """Two transactions that each read what the other writes: write skew."""
    both_read = threading.Barrier(2)
    runs: list[int] = []

    def work(conn: Connection) -> None:
        runs.append(one(conn, "select count(*) from attempts"))
        if len(runs) <= 2:
            both_read.wait(10)
        conn.execute("insert into attempts default values")

    def run() -> None:
        db.retrying(work, isolation=IsolationLevel.SERIALIZABLE)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(runs) == [0, 0, 1]


# What it says of itself


def test_health_names_server_latency_and_pool(db: Database) -> None:
    health = db.health()

    with db.connection() as conn:
        assert health.server_version == one(conn, "show server_version")
    assert not health.is_standby
    assert health.workspace == "taskdb"
    assert timedelta(0) < health.latency < timedelta(seconds=5)
    assert health.schema.workspace is None
    assert health.pool.size >= 1
    assert health.pool.lent == 0


async def test_asynchronous_health_says_the_same(adb: AsyncDatabase) -> None:
    health = await adb.health()

    assert not health.is_standby
    assert health.pool.connections_made >= 1


def test_health_names_the_newest_migrations(database_url: str) -> None:
    with Database(database_url) as db:
        schema = db.health().schema

    newest = {row.train: row.id for row in migrations.status(database_url)}
    assert schema == migrations.SchemaVersion(newest["shared"], newest["workspace"])


def test_pool_counts_what_is_lent(db: Database) -> None:
    with db.connection(), db.connection():
        assert db.pool_figures().lent == 2

    assert db.pool_figures().lent == 0


# Opening and closing


def test_database_opens_at_its_first_use(url: str) -> None:
    db = Database(url, check_schema=False)
    with db.connection() as conn:
        assert one(conn, "select 1") == 1
    db.close()


def test_closed_database_says_so_until_it_is_opened_again(url: str) -> None:
    db = Database(url, check_schema=False)
    db.open()
    db.close()
    with pytest.raises(DatabaseError, match="is closed"), db.connection():
        raise AssertionError("it lent a connection")

    with db, db.connection() as conn:
        assert one(conn, "select 1") == 1


async def test_closed_asynchronous_database_says_so(url: str) -> None:
    adb = AsyncDatabase(url, check_schema=False)
    async with adb:
        pass
    with pytest.raises(DatabaseError, match="is closed"):
        async with adb.connection():
            raise AssertionError("it lent a connection")


def test_threads_that_use_it_first_open_one_pool(url: str) -> None:
    db = Database(url, check_schema=False, pool_min=1)
    threads = [threading.Thread(target=db.health) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert db.pool_figures().requests == 8
    db.close()


def test_synchronous_and_asynchronous_sides_take_the_same_arguments() -> None:
    for name in ("__init__", "connection", "transaction", "retrying"):
        sync, other = (inspect.signature(getattr(side, name)) for side in (Database, AsyncDatabase))
        assert [str(p).split(":")[0] for p in sync.parameters.values()] == [
            str(p).split(":")[0] for p in other.parameters.values()
        ]


def test_database_without_the_schema_is_refused(url: str) -> None:
    with pytest.raises(SchemaVersionMismatchError, match="migrate"):
        Database(url).open()


async def test_database_without_the_schema_is_refused_asynchronously(url: str) -> None:
    with pytest.raises(SchemaVersionMismatchError, match="migrate"):
        await AsyncDatabase(url).open()


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
        DatabaseNotFoundError, match=r'"nowhere" does not exist\. The server answers; mend the user'
    ):
        connect(psycopg.conninfo.make_conninfo(url, dbname="nowhere"))


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
    """Who waits for the pool's second attempt waits past its own timeout, and is told so."""
    monkeypatch.setattr("psycopg_pool.base.AttemptWithBackoff.INITIAL_DELAY", 1000.0)


@pytest.mark.parametrize("idle", [1, 10])
def test_restart_of_the_server_costs_no_wait(server: Server, idle: int, impatient: None) -> None:
    with Database(server.url, check_schema=False, pool_min=idle) as db:
        wait_until(lambda: db.pool_figures().available == idle)
        server.stop()
        server.start()

        with db.connection() as conn:
            assert one(conn, "select 1") == 1


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


def test_request_that_waits_for_a_connection_learns_that_the_server_went_away(
    server: Server,
) -> None:
    learnt: list[BaseException] = []
    with Database(server.url, check_schema=False, pool_max=1) as db:

        def wait() -> None:
            try:
                with db.connection(timeout=timedelta(seconds=1.5)):
                    raise AssertionError("it lent a connection")
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


# What nobody may read


def test_password_stays_out_of_everything_that_is_said(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "p%s/w@:rd"
    bad = psycopg.conninfo.make_conninfo(url, dbname="nowhere", password=secret)
    db = Database(bad, check_schema=False)
    with pytest.raises(DatabaseNotFoundError) as error:
        db.open()
    told = [repr(db), str(db), repr(db.settings), str(db.settings), caplog.text]
    told += traceback.format_exception(error.value)

    assert secret not in "".join(told)
    assert "nowhere" in "".join(told)
