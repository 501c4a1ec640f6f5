"""Running a program: each sync client in a thread, all async clients in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from taskdb.database import AsyncDatabase, Database, connect, connect_async
from taskdb.errors import DatabaseNotFoundError, TaskdbError
from taskdb.queries import concurrency, pauses, tasks
from tests.soak.calls import CONCURRENCY_KEY, MOST, Call, plan
from tests.soak.program import Block, Client, Program
from tests.soak.world import Attempt, World

# A call to make with the connection, or seconds to sleep.
Script: TypeAlias = Generator[Call | float, Any, None]

ATTEMPTS = 100


@dataclass
class Place:
    """Place to run programs in. *disturb* is called again and again while one does."""

    url: str
    disturb: Callable[[psycopg.Connection[Any]], None] | None = None


def prepare(url: str) -> None:
    """Make the plan that every program begins with."""
    with connect(url) as conn:
        for pause in pauses.list_pauses(conn):
            pauses.resume(conn, agent_type=pause.agent_type)
        conn.execute(b"delete from tasks")
        concurrency.set_limit(conn, key=CONCURRENCY_KEY, at_most=MOST)
        tasks.create_many(conn, plan())


def run(place: Place, program: Program) -> World:
    """Run *program* on a plan of its own; return what its clients did and were told."""
    patiently(lambda: prepare(place.url))
    world = World()
    stop = threading.Event()
    numbered = list(enumerate(program.clients))
    with ThreadPoolExecutor(len(numbered) + 2) as pool:
        running = [
            pool.submit(_run_sync, place.url, world, number, client)
            for number, client in numbered
            if not client.is_async
        ]
        loop = pool.submit(
            asyncio.run,
            _run_all_async(place.url, world, [one for one in numbered if one[1].is_async]),
        )
        disturbing = pool.submit(_disturb, place, stop)
        for one in [*running, loop]:
            one.result()
        stop.set()
        disturbing.result()
    patiently(lambda: _wait_for_sessions(place.url))
    return world


def patiently(act: Callable[[], None]) -> None:
    """Do *act*, again where the server is just away."""
    for left in range(600, -1, -1):
        try:
            return act()
        except (psycopg.OperationalError, DatabaseNotFoundError):
            if left == 0:
                raise
            time.sleep(0.05)
    raise AssertionError


def _wait_for_sessions(url: str) -> None:
    """Wait until the sessions of dropped connections are gone, and what they did with them."""
    with connect(url, autocommit=True) as conn:
        while conn.execute(
            b"select exists (select from pg_stat_activity where datname = current_database()"
            b" and backend_type = 'client backend' and pid <> pg_backend_pid())"
        ).fetchone() == (True,):
            time.sleep(0.01)


def _disturb(place: Place, stop: threading.Event) -> None:
    while place.disturb is not None and not stop.wait(0.02):
        try:
            with connect(place.url, autocommit=True) as conn:
                while not stop.wait(0.01):
                    place.disturb(conn)
        except (psycopg.OperationalError, DatabaseNotFoundError):
            continue  # It has hit itself, or the server is away.


def _run_sync(url: str, world: World, number: int, client: Client) -> None:
    count = itertools.count()
    with contextlib.closing(Database(url, pool_min=1, pool_max=1, check_schema=False)) as database:
        conn = None
        for block in client.blocks:
            prefix = f"c{number}b{next(count)}"
            if block.retrying:
                attempts: list[Attempt] = []

                def once(
                    conn: psycopg.Connection[Any],
                    block: Block = block,
                    prefix: str = prefix,
                    attempts: list[Attempt] = attempts,
                ) -> None:
                    attempts.append(world.begin(block, time.monotonic()))
                    _drive(_calls(world, attempts[-1], f"{prefix}a{len(attempts)}"), conn)
                    attempts[-1].kept = None

                try:
                    database.retrying(once, isolation=block.level, attempts=ATTEMPTS)
                except (psycopg.Error, TaskdbError) as error:
                    _settle_retried(world, block, attempts, error)
                else:
                    _settle_retried(world, block, attempts, None)
                continue
            if conn is None or conn.closed:
                conn = _connected(url)
            _drive(_transaction(world, block, prefix), conn)
        if conn is not None:
            conn.close()


def _connected(url: str) -> psycopg.Connection[Any]:
    found: list[psycopg.Connection[Any]] = []
    patiently(lambda: found.append(connect(url)))
    return found[0]


def _drive(script: Script, conn: psycopg.Connection[Any]) -> None:
    value: Any = None
    error: Exception | None = None
    while True:
        try:
            step = script.send(value) if error is None else script.throw(error)
        except StopIteration:
            return
        value, error = None, None
        try:
            if callable(step):
                value = step(conn)
            else:
                time.sleep(step)
        except Exception as raised:  # noqa: BLE001  # The script judges it.
            error = raised


async def _run_all_async(url: str, world: World, clients: list[tuple[int, Client]]) -> None:
    await asyncio.gather(*(_run_async(url, world, number, client) for number, client in clients))


async def _run_async(url: str, world: World, number: int, client: Client) -> None:
    count = itertools.count()
    pool = AsyncDatabase(url, pool_min=1, pool_max=1, check_schema=False)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(pool.close)
        database = pool
        conn = None
        for block in client.blocks:
            prefix = f"c{number}b{next(count)}"
            if block.retrying:
                attempts: list[Attempt] = []

                async def once(
                    conn: psycopg.AsyncConnection[Any],
                    block: Block = block,
                    prefix: str = prefix,
                    attempts: list[Attempt] = attempts,
                ) -> None:
                    attempts.append(world.begin(block, time.monotonic()))
                    calls = _calls(world, attempts[-1], f"{prefix}a{len(attempts)}")
                    await _drive_async(calls, conn)
                    attempts[-1].kept = None

                try:
                    await database.retrying(once, isolation=block.level, attempts=ATTEMPTS)
                except (psycopg.Error, TaskdbError) as error:
                    _settle_retried(world, block, attempts, error)
                else:
                    _settle_retried(world, block, attempts, None)
                continue
            if conn is None or conn.closed:
                conn = await _connected_async(url)
            await _drive_async(_transaction(world, block, prefix), conn)
        if conn is not None:
            await conn.close()


async def _connected_async(url: str) -> psycopg.AsyncConnection[Any]:
    for _ in range(600):
        try:
            return await connect_async(url)
        except (psycopg.OperationalError, DatabaseNotFoundError):
            await asyncio.sleep(0.05)
    return await connect_async(url)


async def _drive_async(script: Script, conn: psycopg.AsyncConnection[Any]) -> None:
    value: Any = None
    error: Exception | None = None
    while True:
        try:
            step = script.send(value) if error is None else script.throw(error)
        except StopIteration:
            return
        value, error = None, None
        try:
            value = await (step(conn) if callable(step) else asyncio.sleep(step))
        except Exception as raised:  # noqa: BLE001  # The script judges it.
            error = raised


def _transaction(world: World, block: Block, prefix: str) -> Script:
    """One block on a connection of the client's own, from its first statement to its end."""
    attempt = world.begin(block, time.monotonic())
    try:
        yield lambda conn: conn.set_isolation_level(block.level)
        yield from _calls(world, attempt, f"{prefix}a1")
        if block.end == "drop":
            yield lambda conn: conn.close()
        elif block.end == "rollback":
            yield lambda conn: conn.rollback()
        else:
            attempt.kept = None
            yield lambda conn: conn.commit()
            attempt.kept = True
            attempt.acknowledged = time.monotonic()
    except Exception as error:  # noqa: BLE001  # The judge looks at it.
        attempt.error = error
        attempt.kept = attempt.kept if is_lost(error) else False
        try:
            yield lambda conn: conn.rollback() if not conn.closed else conn.close()
        except psycopg.Error:
            yield lambda conn: conn.close()


def _settle_retried(
    world: World, block: Block, attempts: list[Attempt], error: Exception | None
) -> None:
    """Tell what became of the attempts of a call that `retrying` made: only the last can stand."""
    if not attempts:
        attempts.append(world.begin(block, time.monotonic()))
    for attempt in attempts[:-1]:
        attempt.kept = False
    last = attempts[-1]
    last.error = error
    if error is None:
        last.kept = True
        last.acknowledged = time.monotonic()
    elif not is_lost(error):
        last.kept = False


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection, and with it the answer, was lost."""
    state = getattr(error, "sqlstate", None)
    return isinstance(error, psycopg.OperationalError) and (
        state is None or state.startswith(("57P", "08"))
    )


def _calls(world: World, attempt: Attempt, prefix: str) -> Script:
    for number, op in enumerate(attempt.block.ops):
        yield op.pause
        found = world.call(op, f"{prefix}o{number}", attempt)
        if found is None:
            continue
        event, call = found
        attempt.events.append(event)
        if op.savepoint:
            yield _execute(sql.SQL("savepoint soak"))
        event.answer = yield call
        event.answered = True
        world.learn(event)
        if op.savepoint == "undo":
            yield _execute(sql.SQL("rollback to soak"))
            event.undone = True
        elif op.savepoint:
            yield _execute(sql.SQL("release soak"))


def _execute(statement: sql.SQL) -> Call:
    return lambda conn: conn.execute(statement)
