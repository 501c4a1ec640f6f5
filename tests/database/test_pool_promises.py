"""Promises of a pool to the borrower of a connection."""

from __future__ import annotations

import asyncio
import select
from datetime import timedelta
from typing import LiteralString, cast

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.adapt import PyFormat
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from taskdb.database import AsyncDatabase, Connection, Database, connect
from taskdb.embedded import Server
from tests.database.test_database import ADVISORY_LOCKS, AS_BEGUN, IS_SLEEPING, SESSION, one

# Promises of a pool


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


@pytest.mark.parametrize(
    "damage",
    [
        "do $$ begin execute 'deallocate all'; end $$",
        "do $$ begin for i in 0..9 loop execute format('prepare _pg3_%s as select', i); end loop;"
        " end $$",
        "prepare _pg3_0 as select",
        "prepare mine as select",
    ],
)
def test_prepared_statements_are_those_of_the_pool_after_the_return(url: str, damage: str) -> None:
    with Database(url, check_schema=False, pool_min=1, pool_max=1) as db:

        def use() -> None:
            with db.connection() as conn:
                conn.prepare_threshold = 2
                for _ in range(3 if "deallocate" in damage else 2):
                    conn.execute("select 'prepared me' where $1", [True])

        use()
        with db.connection() as conn:
            conn.execute(cast("LiteralString", damage), prepare=False)

        use()
        with db.connection() as conn:
            own = "select count(*) from pg_prepared_statements where from_sql"
            assert one(conn, own) == 0


async def test_an_asynchronous_pool_takes_back_its_prepared_statements(url: str) -> None:
    async with AsyncDatabase(url, check_schema=False, pool_min=1, pool_max=1) as adb:
        async with adb.connection() as conn:
            conn.prepare_threshold = 0
            await conn.execute("select 'prepared me' where $1", [True])
            await conn.execute("do $$ begin execute 'deallocate all'; end $$", prepare=False)

        async with adb.connection() as conn:
            conn.prepare_threshold = 0
            await conn.execute("select 'prepared me' where $1", [True])


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


ENDINGS = [
    "commit",
    "COMMIT AND CHAIN",
    "end",
    "abort",
    "rollback work",
    "prepare transaction 'x'",
    "-- done\n/* so ** far */ /**/ commit",
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_transaction_of_a_block_is_ended_by_no_statement(db: Database, ending: str) -> None:
    with db.connection() as conn:
        conn.execute("create schema taskdb create table kept (n integer)")

    def end(conn: Connection) -> None:
        conn.execute("insert into kept values (1)")
        conn.execute(cast("LiteralString", ending))

    with pytest.raises(psycopg.ProgrammingError, match="leave the block"), db.transaction() as conn:
        end(conn)
    with db.connection() as conn, pytest.raises(psycopg.ProgrammingError), conn.transaction():
        end(conn)

    with db.connection() as conn:
        assert one(conn, "select count(*) from kept") == 0


async def test_transaction_of_an_asynchronous_block_is_ended_by_no_statement(
    adb: AsyncDatabase,
) -> None:
    async with adb.transaction() as conn:
        with pytest.raises(psycopg.ProgrammingError, match="leave the block"):
            await conn.execute("commit")


def test_savepoints_and_words_that_only_look_so_are_no_endings(db: Database) -> None:
    with db.transaction() as conn:
        conn.execute("savepoint s")
        conn.execute("rollback to savepoint s")
        conn.execute("rollback work to s")
        conn.execute("/* " + "*/ /* " * 50_000 + " */ select 1 as commit")
        conn.execute("do $$ begin perform 1; end $$")
    with db.connection() as conn:
        conn.execute("select 1")
        conn.execute("commit")


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
        while adb.pool_figures().in_use == 0:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async with adb.connection() as conn:
            assert await (await conn.execute(SESSION)).fetchone() == AS_BEGUN
        assert adb.pool_figures().in_use == 0


async def test_connection_whose_user_is_cancelled_while_it_is_reset_is_replaced(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncDatabase(url, check_schema=False, pool_min=1, pool_max=1) as adb:

        async def hold() -> None:
            async with adb.connection() as conn:
                await conn.execute("select 1")

        with monkeypatch.context() as patch, connect(url, autocommit=True) as watcher:
            patch.setattr("taskdb.database.connections_async.RESET", b"select pg_sleep(60)")
            task = asyncio.create_task(hold())
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
