"""Waiting for work, and listening to what happens: docs/workers.md.

::

    claim = events.claim_next(database, agent="dev-1", wait=timedelta(minutes=1))

    for event in events.listen(database):       # async for, on an AsyncDatabase
        match event:
            case events.TaskCompleted():
                print(event.key, "completed by", event.agent)

A transaction that made a task ready wakes those who wait for such a task, if its connection is one
of taskdb's; on another one, `taskdb.queries.events.wake` does it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, overload

from taskdb.database import AsyncDatabase, Database
from taskdb.events.claiming import claim_next as claim_next_sync
from taskdb.events.claiming_async import claim_next_async
from taskdb.events.hearing import POLL
from taskdb.events.kinds import (
    Event,
    TaskClaimed,
    TaskCompleted,
    TaskFailed,
    TaskReady,
    WorkflowFinished,
)
from taskdb.events.stream import listen as listen_sync
from taskdb.events.stream_async import listen_async
from taskdb.models.claims import Claim
from taskdb.queries.claims import DEFAULT_LEASE
from taskdb.queries.fields import Delay, Interval, Lease, Name
from taskdb.query import Range, checked

__all__ = [
    "POLL",
    "Event",
    "TaskClaimed",
    "TaskCompleted",
    "TaskFailed",
    "TaskReady",
    "WorkflowFinished",
    "claim_next",
    "listen",
]

# A stream looks an hour behind its beginning: before the years of Python there is none.
Past = Annotated[datetime, Range(datetime(1970, 1, 1, tzinfo=UTC))]


@overload
def claim_next(
    database: Database,
    *,
    agent: str,
    agent_type: str | None = None,
    lease: timedelta = DEFAULT_LEASE,
    wait: timedelta,
    poll: timedelta = POLL,
) -> Claim | None: ...
@overload
def claim_next(
    database: AsyncDatabase,
    *,
    agent: str,
    agent_type: str | None = None,
    lease: timedelta = DEFAULT_LEASE,
    wait: timedelta,
    poll: timedelta = POLL,
) -> Coroutine[Any, Any, Claim | None]: ...
@checked
def claim_next(
    database: Database | AsyncDatabase,
    *,
    agent: Name,
    agent_type: Name | None = None,
    lease: Lease = DEFAULT_LEASE,
    wait: Delay,
    poll: Interval = POLL,
) -> Claim | None | Coroutine[Any, Any, Claim | None]:
    """Claim the most urgent task for *agent*, waiting up to *wait* for one; None if none came.

    What a client of taskdb makes ready is claimed within milliseconds, what time causes or psql
    writes within *poll*. While it waits it holds one connection beside the pool's; a `Worker`
    shares one among all of its slots. The other arguments are those of `claims.claim_next`, and
    so are the errors.
    """
    if isinstance(database, AsyncDatabase):
        return claim_next_async(
            database, agent=agent, agent_type=agent_type, lease=lease, wait=wait, poll=poll
        )
    return claim_next_sync(
        database, agent=agent, agent_type=agent_type, lease=lease, wait=wait, poll=poll
    )


@overload
def listen(
    database: Database, *, since: datetime | None = None, poll: timedelta = timedelta(seconds=1)
) -> Generator[Event, None, None]: ...
@overload
def listen(
    database: AsyncDatabase,
    *,
    since: datetime | None = None,
    poll: timedelta = timedelta(seconds=1),
) -> AsyncGenerator[Event, None]: ...
@checked
def listen(
    database: Database | AsyncDatabase,
    *,
    since: Past | None = None,
    poll: Interval = timedelta(seconds=1),
) -> Generator[Event, None, None] | AsyncGenerator[Event, None]:
    """Yield what happens in the workspace, each event once, without an end.

    Events are read from history, so none is missed, however slow their consumer is and whatever
    the connection goes through; *since* begins in the past, at most an hour of the server's time
    for executions of workflows. A task that became ready is reported at once, other events within
    *poll*. Raises `DatabaseNotFoundError` when the server goes away: listen again, *since* the
    `created_at` of the last event. Raises `ValidationError` for a *since* without a time zone.
    """
    if isinstance(database, AsyncDatabase):
        return listen_async(database, since=since, poll=poll)
    return listen_sync(database, since=since, poll=poll)
