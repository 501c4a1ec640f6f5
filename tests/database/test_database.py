"""Connections and pools: what they begin with, how they end, and what they survive."""

from __future__ import annotations

import inspect
import logging
import threading
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.errors import DeadlockDetected, QueryCanceled, SerializationFailure
from psycopg.types.json import Jsonb

from taskdb import migrations
from taskdb.database import AsyncDatabase, Connection, Database, connect, connect_async
from taskdb.errors import (
    DatabaseError,
    DatabaseNotFoundError,
    SchemaVersionMismatchError,
    ValidationError,
)

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


def one(conn: psycopg.Connection[Any], statement: str) -> Any:
    row = conn.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


# A new connection


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


# Doing it again


class Failing:
    """Fails like the server does, a number of times, then does its work."""

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


# Its repr


def test_health_names_server_latency_and_pool(db: Database) -> None:
    health = db.health()

    with db.connection() as conn:
        assert health.server_version == one(conn, "show server_version")
    assert not health.is_standby
    assert health.workspace == "taskdb"
    assert timedelta(0) < health.latency < timedelta(seconds=5)
    assert health.schema.workspace is None
    assert health.pool.size >= 1
    assert health.pool.in_use == 0


async def test_asynchronous_health_says_the_same(adb: AsyncDatabase) -> None:
    health = await adb.health()

    assert not health.is_standby
    assert health.pool.connections_made >= 1


def test_health_names_the_newest_migrations(database_url: str) -> None:
    with Database(database_url) as db:
        schema = db.health().schema

    newest = {row.track: row.id for row in migrations.status(database_url)}
    assert schema == migrations.SchemaVersion(newest["shared"], newest["workspace"])


def test_pool_counts_what_is_lent(db: Database) -> None:
    with db.connection(), db.connection():
        assert db.pool_figures().in_use == 2

    assert db.pool_figures().in_use == 0


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
        raise AssertionError("it handed out a connection")

    with db, db.connection() as conn:
        assert one(conn, "select 1") == 1


async def test_closed_asynchronous_database_says_so(url: str) -> None:
    adb = AsyncDatabase(url, check_schema=False)
    async with adb:
        pass
    with pytest.raises(DatabaseError, match="is closed"):
        async with adb.connection():
            raise AssertionError("it handed out a connection")


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


# Secrets


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
