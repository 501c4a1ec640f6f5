# From taskdb/events/waiting_async.py by tools/sync.py (`make sync`): edit that.
"""Waiting until a task becomes ready: woken by its maker's NOTIFY, with polling as the net.

`tools/sync.py` writes the synchronous form, `taskdb.events.waiting`.
docs/decisions/0026-events.md says who wakes whom, and what is lost in which interleaving.
"""

from __future__ import annotations

import time
from contextlib import closing
from types import TracebackType
from typing import Self

import psycopg

from taskdb.database.connections import GuardedConnection, open_connection
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

__all__ = ["Waiter"]


class Waiter:
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
        self._conn: GuardedConnection | None = None
        self._backoff = Backoff()
        self._proved_at = 0.0
        self._woken = False
        self.is_waiting = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> bool:
        """Be woken from now on; return whether this began just now, so that one looks once more."""
        if self.is_waiting or self._backoff.lasts:
            return False
        try:
            conn = self._conn or self._connect()
            self.is_waiting = events.start_waiting(conn, agent_type=self._agent_type)
            if self.is_waiting and time.monotonic() - self._proved_at > PROOF_SECONDS:
                self._prove(conn)
        except (psycopg.Error, TaskdbError) as exc:
            self._give_up(exc)
        return self.is_waiting

    def heard(self, seconds: float) -> bool:
        """Wait until a task becomes ready, for *seconds* at most; return whether one did."""
        conn = self._conn
        if conn is None or not self.is_waiting:
            time.sleep(seconds)
            return False
        try:
            if not self._woken:
                self._listen(conn, seconds)
            if not self._woken and time.monotonic() - self._proved_at > PROOF_SECONDS:
                self._prove(conn)
        except (psycopg.Error, TaskdbError) as exc:
            self._give_up(exc)
        woken, self._woken = self._woken, False
        return woken

    def stop(self) -> None:
        """End being woken; what came meanwhile is dropped, for there is work."""
        self._woken = False
        if self._conn is None or not self.is_waiting:
            return
        self.is_waiting = False
        try:
            events.stop_waiting(self._conn)
        except (psycopg.Error, TaskdbError) as exc:
            self._give_up(exc)

    def close(self) -> None:
        """Close the connection."""
        conn, self._conn, self.is_waiting = self._conn, None, False
        if conn is not None:
            conn.close()

    def _connect(self) -> GuardedConnection:
        conn = open_connection(self._settings, autocommit=True)
        # An answer that takes longer is none.
        conn.limit = conn.usual_limit = DEADLINE_SECONDS
        self._conn = conn
        if conn.is_shared:
            # The channel it listens to and the locks that tell who waits would be the pooler's.
            raise unheard(self._settings)
        self._proved_at = 0.0
        return conn

    def _listen(self, conn: GuardedConnection, seconds: float, proof: str | None = None) -> bool:
        """Wait for a notification that concerns this worker, or for the *proof*."""
        with closing(conn.notifies(timeout=seconds)) as notifications:
            for notification in notifications:
                if notification.channel == proof:
                    return True
                if concerns(notification, self._agent_type):
                    self._woken = True
                    if proof is None:
                        return True
        return False

    def _prove(self, conn: GuardedConnection) -> None:
        """Send this very session a notification, and see it come."""
        channel = events.prove_waiting(conn)
        if not self._listen(conn, DEADLINE_SECONDS, channel):
            raise no_proof(self._settings)
        self._proved_at = time.monotonic()
        self._backoff.end()

    def _give_up(self, exc: Exception) -> None:
        """Close what does not wake anybody, and try again later."""
        pause = self._backoff.begin()
        logger.warning(
            "nothing wakes this worker: it polls, and tries again in %.1f s: %s",
            pause,
            exc,
            extra={"database": self._settings.place, "pause_seconds": round(pause, 3)},
        )
        self.close()
