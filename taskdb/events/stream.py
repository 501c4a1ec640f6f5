# From taskdb/events/stream_async.py by tools/sync.py (`make sync`): edit that.
"""The stream of events: read from history, where nothing is lost, when something wakes it.

`tools/sync.py` writes the synchronous form, `taskdb.events.stream`.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta

from taskdb.database.connecting import Connection
from taskdb.database.pool import Database
from taskdb.events.kinds import Event
from taskdb.events.tail import OVERLAP_OF_EXECUTIONS, PAGE, Tail
from taskdb.events.waiting import Waiter
from taskdb.queries import events

__all__ = ["listen"]


def listen(database: Database, *, since: datetime | None, poll: timedelta) -> Generator[Event]:
    """Yield events as they happen, beginning with those since a moment."""
    with database.transaction(read_only=True) as conn:
        tail = Tail(events.position(conn), since)
    with Waiter(database.settings) as waiter:
        while True:
            waiter.start()
            with database.transaction(read_only=True) as conn:
                found = _read(conn, tail)
            if found:
                # A slow consumer is not listening meanwhile, and so holds back neither the queue of
                # notifications nor vacuum.
                waiter.stop()
                for event in found:
                    yield event
            else:
                waiter.heard(poll.total_seconds())


def _read(conn: Connection, tail: Tail) -> list[Event]:
    """Return what is new, a page of it at most."""
    tail.begin(events.position(conn))
    rows = events.task_events(conn, since=tail.since, limit=PAGE)
    found = tail.take(rows)
    while len(rows) == PAGE and len(found) < PAGE:
        last = rows[-1]
        rows = events.task_events(
            conn,
            since=last.created_at,
            after_task_id=last.task_id,
            after_seq=last.seq,
            limit=PAGE,
        )
        found += tail.take(rows)
    ended = events.ended_executions(conn, since=tail.since - OVERLAP_OF_EXECUTIONS, limit=10_000)
    tail.end(is_complete=len(rows) < PAGE)
    return found + tail.take_executions(ended)
