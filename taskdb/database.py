"""Connections: one plain one, or a pool of them, sync or async, all set up the same way.

::

    with Database() as db:                       # DATABASE_URL, or as taskdb.settings says
        with db.connection() as conn:            # commits at the end, rolls back on an error
            task = tasks.create(conn, key="T-1", title="Write the manual")

        db.retrying(lambda conn: claims.claim_next(conn, agent="dev-1"))

A connection sends `$1`-style statements (psycopg's `RawCursor`), looks names up in its workspace
and then in ``shared``, speaks UTC, reads and writes JSON with orjson, and gives a statement 60
seconds. It is checked when it is lent, and when it comes back all that its user set is undone.
docs/integration.md shows it in a service.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import orjson
import psycopg
from psycopg import AsyncRawServerCursor, IsolationLevel, RawServerCursor
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.raw_cursor import AsyncRawCursor, RawCursor
from psycopg.rows import TupleRow, tuple_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from taskdb.errors import DatabaseError, DatabaseNotFoundError, ValidationError
from taskdb.settings import Settings, is_configured

if TYPE_CHECKING:
    from taskdb.migrations import SchemaVersion

__all__ = [
    "AsyncConnection",
    "AsyncDatabase",
    "Connection",
    "Database",
    "Health",
    "PoolFigures",
    "connect",
    "connect_async",
    "is_configured",
]

Connection: TypeAlias = psycopg.Connection[TupleRow]
AsyncConnection: TypeAlias = psycopg.AsyncConnection[TupleRow]
AnyConnection: TypeAlias = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]

T = TypeVar("T")
# What is the same in sync and async is written once, as a generator that yields what it calls:
# `_run` gets results and sends them back, `_run_async` gets awaitables and sends back theirs.
Steps: TypeAlias = Generator[Any, Any, T]

_SQL: Final = Path(__file__).parent / "sql" / "session"
_RESET: Final = (_SQL / "reset.sql").read_bytes()
_SERVER: Final = (_SQL / "server.sql").read_bytes()

# A request that waits longer while no connection is in use asks whether the server is there.
_PATIENCE: Final = 0.5
# The pauses between attempts: random, up to 10 ms doubled with each, at most a second.
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """The pool now, and what it counted since it was opened."""

    size: int
    available: int
    lent: int
    waiting: int
    requests: int
    requests_that_waited: int
    requests_that_failed: int
    connections_made: int
    connections_lost: int
    retries: int
    retries_given_up: int


@dataclass(frozen=True, slots=True)
class Health:
    """What `Database.health` found. `latency` is one round trip on a pooled connection."""

    server_version: str
    is_standby: bool
    workspace: str
    schema: SchemaVersion
    latency: timedelta
    pool: PoolFigures


def connect(
    conninfo: str | None = None, *, workspace: str | None = None, autocommit: bool = False
) -> Connection:
    """Open one connection, set up as those of a pool are; the caller closes it.

    The arguments are those of `Database`, and so are the errors.
    """
    return _connect(Settings.read(conninfo, workspace=workspace), autocommit=autocommit)


async def connect_async(
    conninfo: str | None = None, *, workspace: str | None = None, autocommit: bool = False
) -> AsyncConnection:
    """Open one asynchronous connection: `connect`, awaited."""
    settings = Settings.read(conninfo, workspace=workspace)
    try:
        conn = await psycopg.AsyncConnection.connect(
            settings.conninfo, autocommit=autocommit, cursor_factory=AsyncRawCursor
        )
    except psycopg.OperationalError as exc:
        raise _not_found(settings, exc) from exc
    await _set_cursors_async(conn)
    _set_json(conn)
    return conn


def _connect(settings: Settings, *, autocommit: bool = False) -> Connection:
    try:
        conn = psycopg.connect(settings.conninfo, autocommit=autocommit, cursor_factory=RawCursor)
    except psycopg.OperationalError as exc:
        raise _not_found(settings, exc) from exc
    _set_cursors(conn)
    _set_json(conn)
    return conn


def _not_found(settings: Settings, exc: psycopg.OperationalError) -> DatabaseNotFoundError:
    # libpq's advice comes on indented lines of their own.
    reason = " ".join(line for line in str(exc).splitlines() if not line.startswith("\t"))
    return DatabaseNotFoundError(
        f"{settings.place} cannot be reached: {reason.removeprefix('connection failed: ')}",
        hint=f"The address comes from {settings.source}; is the server running there?",
    )


def _set_cursors(conn: psycopg.Connection[Any]) -> None:
    conn.cursor_factory = RawCursor
    conn.server_cursor_factory = RawServerCursor


async def _set_cursors_async(conn: psycopg.AsyncConnection[Any]) -> None:
    conn.cursor_factory = AsyncRawCursor
    conn.server_cursor_factory = AsyncRawServerCursor


def _set_json(conn: AnyConnection) -> None:
    # Once a connection: each call makes the connection's adapters a little slower.
    set_json_loads(orjson.loads, conn)
    set_json_dumps(_dumps, conn)


def _names(search_path: str) -> list[str]:
    """The schemas of a search path, whether the server quoted them or not."""
    return [name.strip().strip('"') for name in search_path.split(",")]


def _dumps(value: object) -> bytes:
    try:
        text = orjson.dumps(value)
        if b"null" in text:
            # orjson writes null for NaN and infinity too: json refuses them.
            json.dumps(value, allow_nan=False, default=str)
    except (TypeError, ValueError) as exc:
        raise ValidationError(None, f"cannot be stored as JSON: {exc}") from exc
    return text


def _run(steps: Steps[T]) -> T:
    try:
        result = next(steps)
        while True:
            result = steps.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def _run_async(steps: Steps[T]) -> T:
    try:
        pending = next(steps)
        while True:
            try:
                result = await pending
            except BaseException as exc:  # noqa: BLE001 - the steps decide
                pending = steps.throw(exc)
            else:
                pending = steps.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value


class _Pooled:
    """What `Database` and `AsyncDatabase` have in common: all but the waiting."""

    def __init__(
        self,
        conninfo: str | None = None,
        *,
        workspace: str | None = None,
        pool_min: int | None = None,
        pool_max: int | None = None,
        pool_timeout: timedelta | None = None,
        pool_idle_timeout: timedelta | None = None,
        pool_max_lifetime: timedelta | None = None,
        statement_timeout: timedelta | None = None,
        check_schema: bool = True,
    ) -> None:
        """Read the settings; connect later, on entering, on `open` or at first use.

        Every argument left out is read from the environment: see `taskdb.settings`. With
        *check_schema* off the database need not hold a task plan at all.

        Raises `DatabaseNotFoundError` where nothing says which database, and
        `ValidationError` naming the argument or variable whose value won't do.
        """
        self.settings = Settings.read(
            conninfo,
            workspace=workspace,
            pool_min=pool_min,
            pool_max=pool_max,
            pool_timeout=pool_timeout,
            pool_idle_timeout=pool_idle_timeout,
            pool_max_lifetime=pool_max_lifetime,
            statement_timeout=statement_timeout,
        )
        self._check_schema = check_schema
        self._closed = False
        self._opening = threading.Lock()
        self._opening_async = asyncio.Lock()
        self._counting = threading.Lock()
        self._lent = 0
        self._retries = 0
        self._given_up = 0
        self._made: WeakKeyDictionary[AnyConnection, float] = WeakKeyDictionary()
        self._drained = -math.inf

    @property
    def workspace(self) -> str:
        """The workspace whose tables its connections see."""
        return self.settings.workspace

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.settings}>"

    def _limits(self) -> dict[str, Any]:
        """What both kinds of pool are made with."""
        settings = self.settings
        return {
            "min_size": settings.pool_min,
            "max_size": settings.pool_max,
            "timeout": settings.pool_timeout.total_seconds(),
            "max_idle": settings.pool_idle_timeout.total_seconds(),
            "max_lifetime": settings.pool_max_lifetime.total_seconds(),
            # Don't go on trying in the background at growing intervals: the next request
            # tries at once, so service resumes as soon as the server does.
            "reconnect_timeout": 0.0,
            "name": "taskdb",
            "open": False,
        }

    def _probe(self) -> None:
        """Connect once, outside the pool: raises at once what the pool would only wait for."""
        with _connect(self.settings, autocommit=True) as conn:
            row = conn.execute(_SERVER).fetchone()
            if row is None or (_names(row[2]), row[3]) != (
                _names(self.settings.search_path),
                "UTC",
            ):
                raise DatabaseError(
                    f"{self.settings.place} did not take the settings of the session",
                    hint="A pooler drops them: see docs/integration.md, Poolers",
                )
            if self._check_schema:
                from taskdb import migrations

                migrations.require(conn)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise DatabaseError(f"{self!r} is closed", hint="Open it again with open()")

    def _made_now(self, conn: AnyConnection) -> None:
        self._made[conn] = time.monotonic()

    def _check(
        self, conn: AnyConnection, check: Callable[[Any], Any], drain: Callable[[], Any]
    ) -> Steps[None]:
        """Refuse a dead connection, and with it all that are as old: they died together.

        The pool alone would meet them one by one, and sleep longer after each.
        """
        try:
            yield check(conn)
        except Exception:
            if self._made[conn] > self._drained:
                self._drained = time.monotonic()
                yield drain()
            raise

    def _reset(self, conn: AnyConnection, set_cursors: Callable[[Any], Any]) -> Steps[None]:
        """Undo what the last user did to the session, the transaction being over."""
        yield conn.set_autocommit(True)
        yield conn.execute(_RESET, prepare=False)
        yield conn.set_autocommit(False)
        yield conn.set_isolation_level(None)
        yield conn.set_read_only(None)
        yield conn.set_deferrable(None)
        conn.row_factory = tuple_row
        conn.prepare_threshold = 5
        yield set_cursors(conn)

    def _borrow(
        self,
        getconn: Callable[[float], Any],
        probe: Callable[[], Any],
        timeout: timedelta | None,
    ) -> Steps[Any]:
        """Take a connection from the pool; if none comes, find out whether any could."""
        limit = (self.settings.pool_timeout if timeout is None else timeout).total_seconds()
        patience = min(_PATIENCE, limit)
        try:
            conn = yield getconn(patience)
        except PoolTimeout:
            if not self._lent:
                yield probe()
            try:
                conn = yield getconn(limit - patience)
            except PoolTimeout as exc:
                if not self._lent:
                    yield probe()
                exc.add_note(
                    f"All {self.settings.pool_max} connections were in use for {limit:g} s:"
                    " raise DB_POOL_MAX, or hold them for less time"
                )
                raise
        with self._counting:
            self._lent += 1
        return conn

    def _give_back(
        self, conn: Any, set_cursors: Callable[[Any], Any], putconn: Callable[[Any], Any]
    ) -> Steps[None]:
        """Return a connection as it was when it was made, or closed.

        The pool could do that with its `reset` callback, but in another thread: meanwhile the
        next request finds no connection free, and the pool grows.
        """
        with self._counting:
            self._lent -= 1
        try:
            if not conn.closed:
                yield from self._reset(conn, set_cursors)
        except psycopg.Error:
            # The pool replaces a closed one; its user has had what was of interest.
            yield conn.close()
        finally:
            yield putconn(conn)

    def _retry(
        self, attempt: Callable[[], Any], sleep: Callable[[float], Any], attempts: int
    ) -> Steps[Any]:
        if attempts < 1:
            raise ValidationError("attempts", "must be at least 1")
        for number in range(1, attempts + 1):
            try:
                return (yield attempt())
            except (SerializationFailure, DeadlockDetected) as exc:
                with self._counting:
                    if number == attempts:
                        self._given_up += 1
                        exc.add_note(f"taskdb gave up after {attempts} attempts")
                        raise
                    self._retries += 1
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (number - 1))
            yield sleep(random.uniform(0, longest))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _ask(
        self, conn: AnyConnection, version: Callable[[Any], Any], figures: PoolFigures
    ) -> Steps[Health]:
        start = time.perf_counter()
        cursor = yield conn.execute(_SERVER)
        row = yield cursor.fetchone()
        latency = timedelta(seconds=time.perf_counter() - start)
        return Health(
            server_version=row[0],
            is_standby=row[1],
            workspace=self.workspace,
            schema=(yield version(conn)),
            latency=latency,
            pool=figures,
        )

    def _figures(self, counted: dict[str, int]) -> PoolFigures:
        return PoolFigures(
            size=counted.get("pool_size", 0),
            available=counted.get("pool_available", 0),
            lent=self._lent,
            waiting=counted.get("requests_waiting", 0),
            requests=counted.get("requests_num", 0),
            requests_that_waited=counted.get("requests_queued", 0),
            requests_that_failed=counted.get("requests_errors", 0),
            connections_made=counted.get("connections_num", 0),
            connections_lost=counted.get("connections_lost", 0),
            retries=self._retries,
            retries_given_up=self._given_up,
        )


class Database(_Pooled):
    """A pool of connections to one workspace of one database, for threads to share.

    Use it as a context manager, or call `close` in the end. After a fork make a new one.
    """

    _pool: ConnectionPool[Connection] | None = None

    def open(self) -> Self:
        """Connect, unless that is done; entering the context and the first use do it too.

        Raises `DatabaseNotFoundError` within seconds where the server doesn't answer, and
        `SchemaVersionMismatchError` where schema and package don't fit each other.
        """
        with self._opening:
            if self._pool is None:
                self._probe()
                pool = ConnectionPool(
                    self.settings.conninfo,
                    kwargs={"cursor_factory": RawCursor},
                    configure=self._configure,
                    check=lambda conn: _run(
                        self._check(conn, ConnectionPool.check_connection, pool.drain)
                    ),
                    **self._limits(),
                )
                pool.open()
                self._pool = pool
                self._closed = False
        return self

    def close(self) -> None:
        """Close the pool's connections; one still in use is closed when it comes back."""
        with self._opening:
            pool, self._pool, self._closed = self._pool, None, True
        if pool:
            pool.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def connection(self, *, timeout: timedelta | None = None) -> Generator[Connection]:
        """Lend a connection. Commits at the end of the block, rolls back if it raises.

        Raises `DatabaseNotFoundError` if the server is gone, psycopg's `PoolTimeout` if all
        connections stay in use for *timeout* (default: ``DB_POOL_TIMEOUT``).
        """
        pool = self._opened()
        conn = _run(self._borrow(pool.getconn, self._probe, timeout))
        try:
            with conn:
                yield conn
        finally:
            _run(self._give_back(conn, _set_cursors, pool.putconn))

    @contextmanager
    def transaction(
        self,
        isolation: IsolationLevel | None = None,
        *,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        timeout: timedelta | None = None,
    ) -> Generator[Connection]:
        """Lend a connection for exactly one transaction, which the block cannot end itself.

        None leaves a property as the server has it. Raises as `connection` does, and
        whatever the commit raises: see `retrying`.
        """
        with self.connection(timeout=timeout) as conn:
            conn.set_isolation_level(isolation)
            conn.set_read_only(read_only)
            conn.set_deferrable(deferrable)
            with conn.transaction():
                yield conn

    def retrying(
        self,
        fn: Callable[[Connection], T],
        *,
        attempts: int = 5,
        isolation: IsolationLevel | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> T:
        """Call *fn* with a connection in a transaction of its own, and return what it returns.

        After a serialization failure (40001) or a deadlock (40P01) it is all done again, up to
        *attempts* times in all, with a short random pause between; the last failure is
        raised. So *fn* must not do outside the database what must not be done twice.
        """

        def attempt() -> T:
            with self.transaction(isolation, read_only=read_only, deferrable=deferrable) as conn:
                return fn(conn)

        result: T = _run(self._retry(attempt, time.sleep, attempts))
        return result

    def health(self) -> Health:
        """Ask the server how it is, through the pool. Raises as `connection` does."""
        from taskdb import migrations

        self._opened()
        figures = self.pool_figures()
        with self.connection() as conn:
            return _run(self._ask(conn, migrations.version, figures))

    def pool_figures(self) -> PoolFigures:
        """Return the figures of the pool, without asking the server anything."""
        return self._figures(self._pool.get_stats() if self._pool else {})

    def _opened(self) -> ConnectionPool[Connection]:
        while (pool := self._pool) is None:
            self._refuse_if_closed()
            self.open()
        return pool

    def _configure(self, conn: Connection) -> None:
        self._made_now(conn)
        _set_cursors(conn)
        _set_json(conn)


class AsyncDatabase(_Pooled):
    """`Database` for asyncio: the same, awaited. It belongs to the event loop that opened it."""

    _pool: AsyncConnectionPool[AsyncConnection] | None = None

    async def open(self) -> Self:
        """Connect, unless that is done; entering the context and the first use do it too.

        Raises `DatabaseNotFoundError` within seconds where the server doesn't answer, and
        `SchemaVersionMismatchError` where schema and package don't fit each other.
        """
        async with self._opening_async:
            if self._pool is None:
                await self._probe_async()
                pool = AsyncConnectionPool(
                    self.settings.conninfo,
                    kwargs={"cursor_factory": AsyncRawCursor},
                    configure=self._configure,
                    check=lambda conn: _run_async(
                        self._check(conn, AsyncConnectionPool.check_connection, pool.drain)
                    ),
                    **self._limits(),
                )
                await pool.open()
                self._pool = pool
                self._closed = False
        return self

    async def close(self) -> None:
        """Close the pool's connections; one still in use is closed when it comes back."""
        async with self._opening_async:
            pool, self._pool, self._closed = self._pool, None, True
        if pool:
            await pool.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(
        self, *, timeout: timedelta | None = None
    ) -> AsyncGenerator[AsyncConnection]:
        """Lend a connection. Commits at the end of the block, rolls back if it raises.

        Raises `DatabaseNotFoundError` if the server is gone, psycopg's `PoolTimeout` if all
        connections stay in use for *timeout* (default: ``DB_POOL_TIMEOUT``).
        """
        pool = await self._opened()
        conn = await _run_async(self._borrow(pool.getconn, self._probe_async, timeout))
        try:
            async with conn:
                yield conn
        finally:
            await _run_async(self._give_back(conn, _set_cursors_async, pool.putconn))

    @asynccontextmanager
    async def transaction(
        self,
        isolation: IsolationLevel | None = None,
        *,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        timeout: timedelta | None = None,
    ) -> AsyncGenerator[AsyncConnection]:
        """Lend a connection for exactly one transaction, which the block cannot end itself.

        None leaves a property as the server has it. Raises as `connection` does, and
        whatever the commit raises: see `retrying`.
        """
        async with self.connection(timeout=timeout) as conn:
            await conn.set_isolation_level(isolation)
            await conn.set_read_only(read_only)
            await conn.set_deferrable(deferrable)
            async with conn.transaction():
                yield conn

    async def retrying(
        self,
        fn: Callable[[AsyncConnection], Awaitable[T]],
        *,
        attempts: int = 5,
        isolation: IsolationLevel | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> T:
        """Await *fn* of a connection in a transaction of its own, and return what it returns.

        After a serialization failure (40001) or a deadlock (40P01) it is all done again, up to
        *attempts* times in all, with a short random pause between; the last failure is
        raised. So *fn* must not do outside the database what must not be done twice.
        """

        async def attempt() -> T:
            async with self.transaction(
                isolation, read_only=read_only, deferrable=deferrable
            ) as conn:
                return await fn(conn)

        result: T = await _run_async(self._retry(attempt, asyncio.sleep, attempts))
        return result

    async def health(self) -> Health:
        """Ask the server how it is, through the pool. Raises as `connection` does."""
        from taskdb import migrations

        await self._opened()
        figures = self.pool_figures()
        async with self.connection() as conn:
            return await _run_async(self._ask(conn, migrations.version_async, figures))

    def pool_figures(self) -> PoolFigures:
        """Return the figures of the pool, without asking the server anything."""
        return self._figures(self._pool.get_stats() if self._pool else {})

    async def _opened(self) -> AsyncConnectionPool[AsyncConnection]:
        while (pool := self._pool) is None:
            self._refuse_if_closed()
            await self.open()
        return pool

    async def _configure(self, conn: AsyncConnection) -> None:
        self._made_now(conn)
        await _set_cursors_async(conn)
        _set_json(conn)

    async def _probe_async(self) -> None:
        await asyncio.to_thread(self._probe)
