"""One connection, set up as those of a pool are, that does not wait for its server for ever.

`tools/sync.py` writes the synchronous form, `taskdb.database.connections`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar

import psycopg
from psycopg import AsyncRawCursor, AsyncRawServerCursor, generators
from psycopg.abc import PQGen
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow, tuple_row

from taskdb.database.connecting import (
    CHECK_SECONDS,
    COMMIT_WAKING,
    DROP_PROBE,
    GRACE_SECONDS,
    PREPARE_THRESHOLD,
    PROBE,
    PROBE_NAME,
    PROBES,
    PROCESS,
    RESET,
    SERVER,
    WAIT_INTERVAL,
    WAKE,
    WAKE_EVERYONE,
    WaitTimeout,
    ended_error,
    ends_transaction,
    has_others,
    in_block_error,
    limit_of,
    may_be_dead,
    mixed_up,
    moves_path,
    not_found,
    note_readiness,
    refuse_dropped,
    refuse_failed,
    returned_error,
    set_json,
    sets_timeout,
    unanswered,
)
from taskdb.database.forking import leave_when_forked
from taskdb.database.settings import Conninfo, Settings, Workspace
from taskdb.errors import DatabaseNotFoundError
from taskdb.query import checked

logger = logging.getLogger("taskdb.database")

__all__ = ["AsyncGuardedConnection", "connect_async", "open_connection_async"]

T = TypeVar("T")


class AsyncHeededCursor(AsyncRawCursor[Any]):
    """A cursor of the user's: what it runs may change the session, other than a named query."""

    def __init__(self, connection: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(connection, *args, **kwargs)
        connection.changed = True

    async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:
        """Run a statement, as psycopg does."""
        self.connection.heed(query)  # type: ignore[attr-defined]
        return await super().execute(query, *args, **kwargs)


class AsyncHeededServerCursor(AsyncRawServerCursor[Any]):
    """A server-side cursor of the user's."""

    def __init__(self, connection: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(connection, *args, **kwargs)
        connection.changed = True


class AsyncGuardedConnection(psycopg.AsyncConnection[TupleRow]):
    """A connection that gives a silent server up, and knows whether its session was changed.

    `limit` is how many seconds it waits for an answer: the statement timeout and a little more,
    or None where a statement changed that timeout. `changed` says that its user ran something
    past the named queries. `in_block` says that `Database.transaction` ends its transaction, and
    nobody else. `is_returned` says that it lies in the pool: whoever had it may use it no more.

    `made_ready` says that its transaction made a task ready: then the commit wakes the workers
    that wait for it, in the same round trip (docs/decisions/0026-events.md). `path_moved` says
    that a statement changed the search path or the role: then it wakes nobody. `is_shared` says
    that a pooler gives the server's process to other clients between transactions. A named query
    that takes `slow_seconds` is logged; None: none is.
    """

    place = ""
    workspace = ""
    limit: float | None = GRACE_SECONDS
    usual_limit: float | None = GRACE_SECONDS
    changed = False
    in_block = False
    is_returned = False
    is_shared = False
    usual_threshold: int | None = PREPARE_THRESHOLD
    made_ready = False
    path_moved = False
    slow_seconds: float | None = None
    _usual_cursor: type[psycopg.AsyncCursor[Any]] = AsyncHeededCursor
    _depth = 0
    made_at = 0.0
    used_at = 0.0

    @classmethod
    async def connect(  # type: ignore[override]
        cls,
        conninfo: str = "",
        *,
        refused: Callable[[psycopg.OperationalError], None] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Connect as psycopg does; *refused* gets the error if that fails."""
        # Given here, the instrumentation of psycopg's connect derives its own from it.
        kwargs.setdefault("cursor_factory", AsyncHeededCursor)
        try:
            conn = await super().connect(conninfo, **kwargs)
        except psycopg.OperationalError as exc:
            if refused is not None:
                refused(exc)
            raise
        if type(conn) is not cls:
            # Taken back, the instrumentation leaves `connect` bound to psycopg's own class.
            conn.__class__ = cls
        conn._usual_cursor = conn.cursor_factory
        leave_when_forked(conn)
        return conn

    def set_up(self, settings: Settings, limit: float | None) -> None:
        """Make it one of *settings* that waits for *limit* seconds."""
        self.place = settings.place
        self.workspace = settings.workspace
        self.limit = self.usual_limit = limit
        self.slow_seconds = settings.slow_query.total_seconds() or None
        self.usual_threshold = PREPARE_THRESHOLD if settings.prepare else None
        self.made_at = self.used_at = time.monotonic()
        self._set_factories()
        set_json(self)
        note_readiness(self)

    def _set_factories(self) -> None:
        self.row_factory = tuple_row
        self.prepare_threshold = self.usual_threshold
        self.cursor_factory = self._usual_cursor
        self.server_cursor_factory = AsyncHeededServerCursor

    def heed(self, query: object) -> None:
        """Note a statement that may change the session; refuse one that ends an open block's."""
        if (self.in_block or self._depth) and ends_transaction(query):
            raise ended_error()
        self.changed = True
        if sets_timeout(query):
            self.limit = None
        if moves_path(query):
            self.path_moved = True

    async def wait(
        self, gen: PQGen[T], interval: float = WAIT_INTERVAL, timeout: float | None = None
    ) -> T:
        """Wait for the server, as psycopg does, and close the connection if it stays silent."""
        if self.is_returned:
            raise returned_error()
        if timeout is not None or self.limit is None:
            return await psycopg.AsyncConnection.wait(self, gen, interval, timeout)
        try:
            done = await psycopg.AsyncConnection.wait(self, gen, interval, self.limit)
        except WaitTimeout as exc:
            self.pgconn.finish()
            raise unanswered(self.place, self.limit) from exc
        if self.made_ready and self._can_wake(TransactionStatus.IDLE):
            # The statement was its own transaction, or ended one by itself.
            await self._wake_afterwards()
        return done

    async def commit(self) -> None:
        """Commit, unless it is in a block of one transaction; wake who waits for what it made."""
        if self.in_block:
            raise in_block_error("commit()")
        if self.made_ready and not self._depth and self._can_wake(TransactionStatus.INTRANS):
            async with self.lock:
                await self._run(COMMIT_WAKING)
        else:
            await psycopg.AsyncConnection.commit(self)

    async def rollback(self) -> None:
        """Roll back, unless it is in a block of one transaction."""
        if self.in_block:
            raise in_block_error("rollback()")
        self.made_ready = False
        await psycopg.AsyncConnection.rollback(self)

    def _can_wake(self, status: TransactionStatus) -> bool:
        return (
            self.pgconn.transaction_status == status
            and self.pgconn.pipeline_status == PipelineStatus.OFF
            and not self.path_moved
        )

    async def _wake_afterwards(self) -> None:
        try:
            await self._run(WAKE_EVERYONE)
        except (psycopg.Error, DatabaseNotFoundError) as exc:
            # The statement is done, whoever heard of it.
            logger.warning("no worker was woken: %s", exc, extra={"database": self.place})

    async def _run(self, statements: bytes) -> None:
        """Run statements that wake who waits."""
        self.made_ready = False
        self.pgconn.send_query(statements)
        refuse_failed(await self.wait(generators.execute(self.pgconn)))

    async def set_autocommit(self, value: bool) -> None:
        """Set autocommit, unless it is in a block of one transaction."""
        if self.in_block:
            raise in_block_error("autocommit")
        await super().set_autocommit(value)

    @asynccontextmanager
    async def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> AsyncGenerator[psycopg.AsyncTransaction]:
        """Open a transaction, or a savepoint where one is open or a block's is to begin."""
        if self.in_block and self.pgconn.transaction_status == TransactionStatus.IDLE:
            await AsyncRawCursor(self).execute(b"")
        is_outermost = self.pgconn.transaction_status == TransactionStatus.IDLE
        outer = psycopg.AsyncConnection.transaction(self, savepoint_name, force_rollback)
        self._depth += 1
        try:
            async with outer as transaction:
                try:
                    yield transaction
                except BaseException:
                    self.made_ready = self.made_ready and not is_outermost
                    raise
                if self.made_ready and is_outermost:
                    if not force_rollback and self._can_wake(TransactionStatus.INTRANS):
                        async with self.lock:
                            await self._run(WAKE)
                    self.made_ready = False
        finally:
            self._depth -= 1

    async def check(self) -> None:
        """Raise an error if the server may be gone, and is; the pool asks before a checkout."""
        self.is_returned = False
        if may_be_dead(self.pgconn, self.used_at):
            await self._send(b"", CHECK_SECONDS)

    async def reset(self) -> None:
        """Undo what the last user did to the session, the transaction being over.

        Named queries leave nothing behind; after them there is nothing to ask the server for.
        """
        self.used_at = time.monotonic()
        self.made_ready = False
        if (
            not self.changed
            and not self.autocommit
            and self.isolation_level is None
            and self.read_only is None
            and self.deferrable is None
            and self.row_factory is tuple_row
            and self.prepare_threshold == self.usual_threshold
            and self.cursor_factory is self._usual_cursor
            and self.server_cursor_factory is AsyncHeededServerCursor
        ):
            return
        results = await self._send(RESET, CHECK_SECONDS)
        if not self.is_shared and has_others(self, results[-1]):
            await self._send(b"deallocate all", CHECK_SECONDS)
            self._prepared.clear()
        await self.set_autocommit(False)
        await self.set_isolation_level(None)
        await self.set_read_only(None)
        await self.set_deferrable(None)
        self._set_factories()
        self.limit = self.usual_limit
        self.changed = self.path_moved = False

    async def _send(self, statements: bytes, limit: float) -> Sequence[PGresult]:
        """Run statements outside any transaction, waiting for *limit* seconds."""
        self.limit = limit
        self.pgconn.send_query(statements)
        results: Sequence[PGresult] = await self.wait(generators.execute(self.pgconn))
        refuse_failed(results)
        self.limit = self.usual_limit
        return results


@checked
async def connect_async(
    conninfo: Conninfo | None = None,
    *,
    workspace: Workspace | None = None,
    autocommit: bool = False,
) -> psycopg.AsyncConnection[TupleRow]:
    """Open one connection, set up as those of a pool are; the caller closes it.

    The arguments are those of `Database`, and so are the errors.
    """
    settings = Settings.read(conninfo, workspace=workspace)
    return await open_connection_async(settings, autocommit=autocommit)


@checked
async def open_connection_async(
    settings: Settings, *, autocommit: bool = False
) -> AsyncGuardedConnection:
    """Open one connection and see that its session is what *settings* ask for."""
    try:
        conn = await AsyncGuardedConnection.connect(settings.conninfo, autocommit=True)
    except psycopg.OperationalError as exc:
        raise not_found(settings, exc) from exc
    try:
        conn.place = settings.place
        row = await (await AsyncRawCursor(conn).execute(SERVER)).fetchone()
        refuse_dropped(settings, row)
        if row is not None and row[5] != conn.pgconn.backend_pid:
            conn.is_shared = await _is_shared_async(conn, settings)
            if conn.is_shared and settings.prepare and not await _keeps_apart_async(conn):
                raise mixed_up(settings)
        await conn.set_autocommit(autocommit)
    except BaseException:
        await conn.close()
        raise
    conn.set_up(settings, limit_of(row))
    conn.changed = False
    return conn


async def _is_shared_async(conn: AsyncGuardedConnection, settings: Settings) -> bool:
    """Return whether the pooler that *conn* goes through is in transaction mode.

    Then another client gets the process that *conn* had just now, or *conn* gets another one. In
    session mode neither happens, whoever else is there. Nothing is held while the other waits:
    clients that ask at the same moment would wait for each other.
    """
    first, others = None, set[int]()
    try:
        async with await AsyncGuardedConnection.connect(
            settings.conninfo, autocommit=True
        ) as other:
            other.limit = CHECK_SECONDS
            for _ in range(PROBES):
                mine = await _process_async(conn)
                first = first or mine
                others.add(await _process_async(other))
                if mine != first or mine in others:
                    return True
    except (psycopg.OperationalError, DatabaseNotFoundError) as exc:
        # In session mode *conn* may have the last process that there is.
        fields = {"database": settings.place}
        logger.warning("the pooler gave no second process: %s", exc, extra=fields)
    return False


async def _process_async(conn: AsyncGuardedConnection) -> int:
    row = await (await AsyncRawCursor(conn).execute(PROCESS, prepare=False)).fetchone()
    assert row is not None
    return int(row[0])


async def _keeps_apart_async(conn: AsyncGuardedConnection) -> bool:
    """Return whether the pooler keeps the prepared statements of its clients apart."""
    try:
        async with conn.transaction():
            conn.pgconn.send_prepare(PROBE_NAME, b"select")
            refuse_failed(await conn.wait(generators.execute(conn.pgconn)))
            row = await (await AsyncRawCursor(conn).execute(PROBE, prepare=False)).fetchone()
            has_its_name = row is None or row[0]
            if has_its_name:
                await AsyncRawCursor(conn).execute(DROP_PROBE, prepare=False)
    except psycopg.errors.DuplicatePreparedStatement:
        # Another client asks the same at this moment, or was killed while it did.
        return False
    return not has_its_name
