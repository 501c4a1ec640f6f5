"""Pools of connections, sync or async, all set up the same way.

::

    with Database() as db:                       # DATABASE_URL, or as taskdb.database.settings says
        with db.connection() as conn:            # commits at the end, rolls back on an error
            task = tasks.create(conn, key="T-1", title="Write the manual")

        db.retrying(lambda conn: claims.claim_next(conn, agent="dev-1"))

A connection sends `$1`-style statements (psycopg's `RawCursor`), looks names up in its workspace
and then in ``shared``, speaks UTC, reads and writes JSON with orjson, and gives a statement 60
seconds. It is checked when it is checked out after it sat idle, and when it comes back all that
its user set in the session is undone; adapters and notice handlers registered with the object
stay. Named queries leave nothing to undo. A server that stays silent for the statement timeout
and five seconds more is given up. docs/integration.md shows it in a service.

`tools/sync.py` writes `taskdb.database.pool` from `taskdb.database.pool_async`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from psycopg import AsyncRawCursor, IsolationLevel
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from taskdb.database import versions
from taskdb.database.connecting import SERVER, AsyncConnection
from taskdb.database.connections_async import AsyncGuardedConnection, open_connection_async
from taskdb.database.pooling import (
    DatabaseHealth,
    Pooled,
    check_attempts,
    check_timeout,
    logger,
)

__all__ = ["AsyncDatabase"]

T = TypeVar("T")


class AsyncDatabase(Pooled):
    """A pool of connections to one workspace of one database, for asyncio.

    Use it as a context manager, or call `close` in the end. It belongs to the event loop that
    opened it.
    """

    _pool: AsyncConnectionPool[AsyncGuardedConnection] | None = None

    def begin_anew(self) -> None:
        """Be unopened, with locks that no thread holds, as the child of a fork needs it."""
        super().begin_anew()
        self._opening = asyncio.Lock()

    async def open(self) -> Self:
        """Connect, unless that is done; entering the context and the first use do it too.

        Raises `DatabaseNotFoundError` within seconds where the server doesn't answer, and
        `SchemaVersionMismatchError` where schema and package don't fit each other.
        """
        async with self._opening:
            if self._pool is None:
                await self._probe()
                pool = AsyncConnectionPool(
                    self.settings.conninfo,
                    connection_class=AsyncGuardedConnection,
                    configure=self._configure,
                    check=self._check,
                    reconnect_failed=self._reconnect_failed,
                    **self._limits(),
                )
                await pool.open()
                self._pool = pool
                self._closed = False
                self._has_opened()
        return self

    async def close(self) -> None:
        """Close the pool's connections; one still in use is closed when it comes back."""
        async with self._opening:
            pool, self._pool, self._closed = self._pool, None, True
        if pool:
            await pool.close()
            self._has_closed()

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
        """Check a connection out. Commits at the end of the block, rolls back if it raises.

        Raises `DatabaseNotFoundError` if the server is gone, psycopg's `PoolTimeout` if all
        connections stay in use for *timeout* (default: ``DB_POOL_TIMEOUT``).
        """
        conn = await self._check_out(timeout)
        try:
            async with conn:
                yield conn
        finally:
            await self._take_back(conn)

    @asynccontextmanager
    async def transaction(
        self,
        isolation: IsolationLevel | None = None,
        *,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        timeout: timedelta | None = None,
    ) -> AsyncGenerator[AsyncConnection]:
        """Check a connection out for exactly one transaction, which the block cannot end itself.

        None leaves a property as the server has it. Raises as `connection` does, and
        whatever the commit raises: see `retrying`.
        """
        conn = await self._check_out(timeout)
        try:
            async with conn:
                if isolation is not None:
                    await conn.set_isolation_level(isolation)
                if read_only is not None:
                    await conn.set_read_only(read_only)
                if deferrable is not None:
                    await conn.set_deferrable(deferrable)
                conn.in_block = True
                try:
                    yield conn
                finally:
                    conn.in_block = False
        finally:
            await self._take_back(conn)

    async def retrying(
        self,
        fn: Callable[[AsyncConnection], Awaitable[T]],
        *,
        attempts: int = 10,
        isolation: IsolationLevel | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> T:
        """Call *fn* with a connection in a transaction of its own, and return what it returns.

        After a serialization failure (40001) or a deadlock (40P01) it is all done again, up to
        *attempts* times in all, with a short random pause between; the last failure is
        raised. So *fn* must not do outside the database what must not be done twice.
        """
        check_attempts(attempts)
        number = 1
        while True:
            try:
                async with self.transaction(
                    isolation, read_only=read_only, deferrable=deferrable
                ) as conn:
                    return await fn(conn)
            except (SerializationFailure, DeadlockDetected) as exc:
                pause = self._pause(number, attempts, exc)
            await asyncio.sleep(pause)
            number += 1

    async def health(self) -> DatabaseHealth:
        """Ask the server how it is, through the pool. Raises as `connection` does."""
        await self._opened()
        figures = self.pool_figures()
        async with self.connection() as conn:
            start = time.perf_counter()
            row = await (await AsyncRawCursor(conn).execute(SERVER)).fetchone()
            latency = timedelta(seconds=time.perf_counter() - start)
            assert row is not None
            return DatabaseHealth(
                server_version=row[0],
                is_standby=row[1],
                workspace=self.workspace,
                schema=await versions.version(conn),
                latency=latency,
                pool=figures,
            )

    async def _opened(self) -> AsyncConnectionPool[AsyncGuardedConnection]:
        while (pool := self._pool) is None:
            self._refuse_if_closed()
            await self.open()
        return pool

    async def _probe(self) -> None:
        """Connect once, outside the pool: raises at once what the pool would only wait for."""
        async with await open_connection_async(self.settings, autocommit=True) as conn:
            self._limit, self._is_shared = conn.usual_limit, conn.is_shared
            if self._check_schema:
                await versions.require(conn)

    async def _configure(self, conn: AsyncGuardedConnection) -> None:
        conn.set_up(self.settings, self._limit)
        conn.is_shared = self._is_shared

    async def _check(self, conn: AsyncGuardedConnection) -> None:
        """Refuse a dead connection, and with it all that are as old: they died together.

        The pool alone would meet them one by one, and sleep longer after each.
        """
        try:
            await conn.check()
        except Exception:
            if conn.made_at > self._drained and self._pool is not None:
                self._drained = time.monotonic()
                logger.warning(
                    "a connection was dead; those as old are replaced", extra=self._fields()
                )
                await self._pool.drain()
            raise

    async def _check_out(self, timeout: timedelta | None) -> AsyncGuardedConnection:
        """Take a connection from the pool, or find out why none comes."""
        if timeout is not None:
            check_timeout(timeout)
        pool = self._pool or await self._opened()
        limit = (self.settings.pool_timeout if timeout is None else timeout).total_seconds()
        on_wait = Pooled.on_wait
        begun = time.perf_counter() if on_wait else 0.0
        try:
            conn = await pool.getconn(limit)
        except PoolTimeout as exc:
            error = self._none_came(exc, limit)
            raise error from None if error is exc else exc
        self._count(+1)
        if on_wait is not None:
            on_wait(self, time.perf_counter() - begun)
        return conn

    async def _take_back(self, conn: AsyncGuardedConnection) -> None:
        """Return a connection as it was when it was made, or closed.

        The pool could do that with its `reset` callback, but in another thread: meanwhile the
        next request finds no connection free, and the pool grows.
        """
        self._count(-1)
        try:
            await conn.reset()
            conn.is_returned = True
        except BaseException as exc:
            # The pool replaces a closed one. One that was reset by half, its user being cancelled
            # meanwhile, would commit each statement of the next.
            await conn.close()
            # An error of the reset is nothing to the user, who is done.
            if not isinstance(exc, Exception):
                raise
        finally:
            if self._pool is not None:
                await self._pool.putconn(conn)
            else:
                await conn.close()

    async def _reconnect_failed(self, pool: AsyncConnectionPool[Any]) -> None:
        """Tell those who wait for a connection that the server is gone, rather than let them wait.

        The pool has no way to do that, so its queue is emptied here.
        """
        inside: Any = pool
        async with inside._lock:
            error = self._refusal_of_waiting(inside._nconns)
            if error is None:
                return
            waiting = list(inside._waiting)
            inside._waiting.clear()
        fields = {**self._fields(), "waiting": len(waiting)}
        logger.warning("no connection can be made: %s", error, extra=fields)
        for client in waiting:
            await client.fail(error)
