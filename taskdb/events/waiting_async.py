"""Waiting until a task becomes ready: woken by its maker's NOTIFY, with polling as the net.

`tools/sync.py` writes the synchronous form, `taskdb.events.waiting`.
docs/decisions/0026-events.md says who wakes whom, and what is lost in which interleaving.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from types import TracebackType
from typing import Self

import psycopg

from taskdb.database.connections_async import AsyncGuardedConnection, open_connection_async
from taskdb.database.settings import Settings
from taskdb.errors import TaskdbError
from taskdb.events.hearing import (
    DEADLINE_SECONDS,
    PROOF_SECONDS,
    Backoff,
    concerns,
    logger,
    no_proof,
    unheard,
)
from taskdb.queries import events

__all__ = ["AsyncWaiter"]


class AsyncWaiter:
    """A connection of its own on which a waiting worker is woken.

    While it waits, and only then, it listens and the makers of ready tasks send a NOTIFY: begin
    with `start`, look for a task, then wait in `heard`; `stop` when there is work. It proves that
    it would be woken by a notification to itself, which must come within 5 seconds. Where none
    comes (a half-open connection, a pooler) or the server is gone, `heard` waits for its time
    without being woken, and `start` tries again after growing pauses.
    """

    def __init__(self, settings: Settings, agent_type: str | None = None) -> None:
        self._settings = settings
        self._agent_type = agent_type
        self._conn: AsyncGuardedConnection | None = None
        self._backoff = Backoff()
        self._proved_at = 0.0
        self._woken = False
        self.is_waiting = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> bool:
        """Be woken from now on; return whether this began just now, so that one looks once more."""
        if self.is_waiting or self._backoff.lasts:
            return False
        try:
            conn = self._conn or await self._connect()
            self.is_waiting = await events.start_waiting(conn, agent_type=self._agent_type)
            if self.is_waiting and time.monotonic() - self._proved_at > PROOF_SECONDS:
                await self._prove(conn)
        except (psycopg.Error, TaskdbError) as exc:
            await self._give_up(exc)
        return self.is_waiting

    async def heard(self, seconds: float) -> bool:
        """Wait until a task becomes ready, for *seconds* at most; return whether one did."""
        conn = self._conn
        if conn is None or not self.is_waiting:
            await asyncio.sleep(seconds)
            return False
        try:
            if not self._woken:
                await self._listen(conn, seconds)
            if not self._woken and time.monotonic() - self._proved_at > PROOF_SECONDS:
                await self._prove(conn)
        except (psycopg.Error, TaskdbError) as exc:
            await self._give_up(exc)
        woken, self._woken = self._woken, False
        return woken

    async def stop(self) -> None:
        """End being woken; what came meanwhile is dropped, for there is work."""
        self._woken = False
        if self._conn is None or not self.is_waiting:
            return
        self.is_waiting = False
        try:
            await events.stop_waiting(self._conn)
        except (psycopg.Error, TaskdbError) as exc:
            await self._give_up(exc)

    async def close(self) -> None:
        """Close the connection."""
        conn, self._conn, self.is_waiting = self._conn, None, False
        if conn is not None:
            await conn.close()

    async def _connect(self) -> AsyncGuardedConnection:
        conn = await open_connection_async(self._settings, autocommit=True)
        # An answer that takes longer is none.
        conn.limit = conn.usual_limit = DEADLINE_SECONDS
        self._conn = conn
        if conn.is_shared:
            # The channel it listens to and the locks that tell who waits would be the pooler's.
            raise unheard(self._settings)
        self._proved_at = 0.0
        return conn

    async def _listen(
        self, conn: AsyncGuardedConnection, seconds: float, proof: str | None = None
    ) -> bool:
        """Wait for a notification that concerns this worker, or for the *proof*."""
        async with aclosing(conn.notifies(timeout=seconds)) as notifications:
            async for notification in notifications:
                if notification.channel == proof:
                    return True
                if concerns(notification, self._agent_type):
                    self._woken = True
                    if proof is None:
                        return True
        return False

    async def _prove(self, conn: AsyncGuardedConnection) -> None:
        """Send this very session a notification, and see it come."""
        channel = await events.prove_waiting(conn)
        if not await self._listen(conn, DEADLINE_SECONDS, channel):
            raise no_proof(self._settings)
        self._proved_at = time.monotonic()
        self._backoff.end()

    async def _give_up(self, exc: Exception) -> None:
        """Close what does not wake anybody, and try again later."""
        pause = self._backoff.begin()
        logger.warning(
            "nothing wakes this worker: it polls, and tries again in %.1f s: %s",
            pause,
            exc,
            extra={"database": self._settings.place, "pause_seconds": round(pause, 3)},
        )
        await self.close()
