"""Connections: one plain one, or a pool of them, sync or async, all set up the same way.

::

    with Database() as db:                       # DATABASE_URL, or as taskdb.database.settings says
        with db.connection() as conn:            # commits at the end, rolls back on an error
            task = tasks.create(conn, key="T-1", title="Write the manual")

        db.retrying(lambda conn: claims.claim_next(conn, agent="dev-1"))

A connection sends `$1`-style statements (psycopg's `RawCursor`), looks names up in its workspace
and then in ``shared``, speaks UTC, reads and writes JSON with orjson, and gives a statement 60
seconds. It is checked when it is lent, and when it comes back all that its user set in the session
is undone; adapters and notice handlers registered with the object stay.
docs/integration.md shows it in a service.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

from psycopg import IsolationLevel
from psycopg.raw_cursor import AsyncRawCursor, RawCursor
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from taskdb.database.connections import (
    AsyncConnection,
    Connection,
    set_cursors,
    set_cursors_async,
    set_json,
)
from taskdb.database.pooling import DatabaseHealth, Pooled, PoolFigures, run, run_async

__all__ = ["AsyncDatabase", "Database"]

T = TypeVar("T")


class Database(Pooled):
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
                    check=lambda conn: run(
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
        conn = run(self._borrow(pool.getconn, self._probe, timeout))
        try:
            with conn:
                yield conn
        finally:
            run(self._give_back(conn, set_cursors, pool.putconn))

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

        def attempt() -> T:
            with self.transaction(isolation, read_only=read_only, deferrable=deferrable) as conn:
                return fn(conn)

        result: T = run(self._retry(attempt, time.sleep, attempts))
        return result

    def health(self) -> DatabaseHealth:
        """Ask the server how it is, through the pool. Raises as `connection` does."""
        from taskdb.database import versions

        self._opened()
        figures = self.pool_figures()
        with self.connection() as conn:
            return run(self._ask(conn, versions.version, figures))

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
        set_cursors(conn)
        set_json(conn)


class AsyncDatabase(Pooled):
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
                    check=lambda conn: run_async(
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
        conn = await run_async(self._borrow(pool.getconn, self._probe_async, timeout))
        try:
            async with conn:
                yield conn
        finally:
            await run_async(self._give_back(conn, set_cursors_async, pool.putconn))

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
        attempts: int = 10,
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

        result: T = await run_async(self._retry(attempt, asyncio.sleep, attempts))
        return result

    async def health(self) -> DatabaseHealth:
        """Ask the server how it is, through the pool. Raises as `connection` does."""
        from taskdb.database import versions

        await self._opened()
        figures = self.pool_figures()
        async with self.connection() as conn:
            return await run_async(self._ask(conn, versions.version_async, figures))

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
        await set_cursors_async(conn)
        set_json(conn)

    async def _probe_async(self) -> None:
        await asyncio.to_thread(self._probe)
