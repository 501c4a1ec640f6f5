"""A worker's line to the server: one connection that comes back when the server does."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from taskdb.database.connecting import AsyncConnection
from taskdb.database.connections_async import AsyncGuardedConnection, open_connection_async
from taskdb.database.settings import Settings
from taskdb.errors import DatabaseNotFoundError
from taskdb.events.hearing import Backoff

__all__ = ["ServerLine"]

logger = logging.getLogger("taskdb.worker")

T = TypeVar("T")
_LONGEST_PAUSE = 5.0


class ServerLine:
    """Statements one at a time, each its own transaction, each sent until it is answered.

    What is sent must bear being sent twice: claims have a `request_id`, endings their token.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._conn: AsyncGuardedConnection | None = None
        self._turn = asyncio.Lock()
        self.give_up_at = math.inf

    async def call(self, statement: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run a statement and return its result; while the server is away, try again.

        Raises psycopg's `OperationalError` or `DatabaseNotFoundError` once `give_up_at` is past.
        """
        backoff = Backoff(_LONGEST_PAUSE)
        async with self._turn:
            while True:
                try:
                    conn = self._conn or await self._connect()
                    return await statement(conn)
                except (SerializationFailure, DeadlockDetected):
                    pause = 0.01
                except (psycopg.OperationalError, DatabaseNotFoundError) as exc:
                    await self.close()
                    if time.monotonic() > self.give_up_at:
                        raise
                    pause = backoff.begin()
                    told = {"database": self._settings.place, "pause_seconds": round(pause, 3)}
                    logger.warning(
                        "the server is away, again in %.1f s: %s", pause, exc, extra=told
                    )
                await asyncio.sleep(pause)

    async def close(self) -> None:
        """Close the connection; the next call opens another one."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    async def _connect(self) -> AsyncGuardedConnection:
        self._conn = await open_connection_async(self._settings, autocommit=True)
        return self._conn
