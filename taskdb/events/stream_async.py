"""The stream of events: read from history, where nothing is lost, when something wakes it.

`tools/sync.py` writes the synchronous form, `taskdb.events.stream`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

from taskdb.database.connecting import AsyncConnection
from taskdb.database.pool_async import AsyncDatabase
from taskdb.events.kinds import Event
from taskdb.events.tail import OVERLAP_OF_EXECUTIONS, PAGE, Tail
from taskdb.events.waiting_async import AsyncWaiter
from taskdb.queries import events

__all__ = ["listen_async"]


async def listen_async(
    database: AsyncDatabase, *, since: datetime | None, poll: timedelta
) -> AsyncGenerator[Event]:
    """Yield events as they happen, beginning with those since a moment."""
    async with database.transaction(read_only=True) as conn:
        tail = Tail(await events.position(conn), since)
    async with AsyncWaiter(database.settings) as waiter:
        while True:
            await waiter.start()
            async with database.transaction(read_only=True) as conn:
                found = await _read(conn, tail)
            if found:
                # A slow consumer is not listening meanwhile, and so holds back neither the queue of
                # notifications nor vacuum.
                await waiter.stop()
                for event in found:
                    yield event
            else:
                await waiter.heard(poll.total_seconds())


async def _read(conn: AsyncConnection, tail: Tail) -> list[Event]:
    """Return what is new, a page of it at most."""
    tail.begin(await events.position(conn))
    rows = await events.task_events(conn, since=tail.since, limit=PAGE)
    found = tail.take(rows)
    while len(rows) == PAGE and len(found) < PAGE:
        last = rows[-1]
        rows = await events.task_events(
            conn,
            since=last.created_at,
            after_task_id=last.task_id,
            after_seq=last.seq,
            limit=PAGE,
        )
        found += tail.take(rows)
    ended = await events.ended_executions(
        conn, since=tail.since - OVERLAP_OF_EXECUTIONS, limit=10_000
    )
    tail.end(is_complete=len(rows) < PAGE)
    return found + tail.take_executions(ended)
