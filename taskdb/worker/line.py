"""A worker's line to the server: one connection that comes back when the server does."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar

import psycopg
from psycopg.errors import (
    DeadlockDetected,
    LockNotAvailable,
    ReadOnlySqlTransaction,
    SerializationFailure,
)

from taskdb.database.connecting import AsyncConnection
from taskdb.database.connections_async import AsyncGuardedConnection, open_connection_async
from taskdb.database.settings import Settings
from taskdb.errors import DatabaseNotFoundError
from taskdb.events.hearing import Backoff

__all__ = ["ABSENT", "ServerLine"]

logger = logging.getLogger("taskdb.worker")

T = TypeVar("T")
# Errors of a server that is away, or follows another one for now, in a failover.
ABSENT: Final = (psycopg.OperationalError, DatabaseNotFoundError, ReadOnlySqlTransaction)
_LONGEST_PAUSE: Final = 5.0
_RACE_PAUSE: Final = 0.01
_LONGEST_LOCK: Final = 1.0
_LOCK_PAUSE: Final = 0.05
# A pause looks this often whether the call is still wanted.
_LOOK_SECONDS: Final = 0.1


class ServerLine:
    """Statements one at a time, each its own transaction, each sent until it is answered.

    What is sent must bear being sent twice: claims have a `request_id`, endings their token. A
    statement that waits for a lock lets go after a moment, and the others have their turn: one
    task that another session keeps locked would else cost each job its lease.
    """

    def __init__(self, settings: Settings, shortest_lease: timedelta) -> None:
        seconds = min(_LONGEST_LOCK, shortest_lease.total_seconds() / 30)
        theirs = settings.parameters.get("options", "")
        options = f"{theirs} -c lock_timeout={math.ceil(seconds * 1000)}".strip()
        self._settings = replace(settings, parameters={**settings.parameters, "options": options})
        self._conn: AsyncGuardedConnection | None = None
        self._turn = asyncio.Lock()
        self.give_up_at = math.inf

    async def call(
        self,
        statement: Callable[[AsyncConnection], Awaitable[T]],
        *,
        waits_for_locks: bool = True,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> T:
        """Run a statement and return its result; while the server is away, try again.

        Raises one of `ABSENT` once `give_up_at` is past or it is not wanted any more;
        `LockNotAvailable` unless it *waits_for_locks*.
        """
        fields = {"database": self._settings.place}
        while True:
            async with self._turn:
                try:
                    return await self._answer(statement, is_wanted)
                except LockNotAvailable:
                    if not (waits_for_locks and self._goes_on(is_wanted)):
                        raise
            logger.debug("another session has what is to be written", extra=fields)
            await asyncio.sleep(_LOCK_PAUSE)

    async def _answer(
        self, statement: Callable[[AsyncConnection], Awaitable[T]], is_wanted: Callable[[], bool]
    ) -> T:
        backoff = Backoff(_LONGEST_PAUSE)
        while True:
            try:
                conn = self._conn or await self._connect()
                return await statement(conn)
            except LockNotAvailable:
                raise
            except (SerializationFailure, DeadlockDetected):
                pause = _RACE_PAUSE
            except ABSENT as exc:
                await self.close()
                if not self._goes_on(is_wanted):
                    raise
                pause = backoff.begin()
                fields = {"database": self._settings.place, "pause_seconds": round(pause, 3)}
                logger.warning("the server is away, again in %.1f s: %s", pause, exc, extra=fields)
            end = time.monotonic() + pause
            while (left := end - time.monotonic()) > 0 and is_wanted():
                await asyncio.sleep(min(left, _LOOK_SECONDS))

    def _goes_on(self, is_wanted: Callable[[], bool]) -> bool:
        return is_wanted() and time.monotonic() <= self.give_up_at

    async def close(self) -> None:
        """Close the connection; the next call opens another one."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    async def _connect(self) -> AsyncGuardedConnection:
        self._conn = await open_connection_async(self._settings, autocommit=True)
        return self._conn
