"""Events: `sql/queries/events.sql`. `taskdb.events` builds waiting and listening on them."""

from datetime import datetime
from uuid import UUID

from taskdb.models.events import EndedExecution, HistoryPosition, TaskEvent
from taskdb.queries import query
from taskdb.queries.fields import Limit, Name


@query
def wake(*, everyone: bool = False) -> bool:
    """Wake the workers that wait for tasks which this transaction made ready, when it commits.

    Return whether one NOTIFY was sent: not if nothing was made ready or nobody waits. A
    connection of taskdb does this by itself when it commits; call it last in a transaction on a
    connection from elsewhere. *everyone* wakes all, whatever the transaction did.
    """
    ...


@query
def start_waiting(*, agent_type: Name | None = None) -> bool:
    """Have this session woken when a task becomes ready for *agent_type*, or for any type.

    False if it must be called again to be sure. It belongs to the session: call it on an
    autocommit connection that nobody shares and that no pooler hands out by the transaction.
    """
    ...


@query
def stop_waiting() -> bool:
    """End what `start_waiting` began, with all of the session's advisory locks and LISTENs.

    Return whether it was listening until now.
    """
    ...


@query
def prove_waiting() -> str:
    """Notify this very session, which waits; return the channel on which it must arrive."""
    ...


@query
def position() -> HistoryPosition:
    """Return the server's clock and the numbers of its oldest and its next transaction."""
    ...


@query
def task_events(
    *,
    since: datetime,
    after_task_id: UUID | None = None,
    after_seq: int | None = None,
    limit: Limit = 500,
) -> list[TaskEvent]:
    """Return tasks that became ready, claims, completions and failures, oldest first.

    With *after_task_id* and *after_seq*, those of the moment *since* behind this row, and later.
    """
    ...


@query
def ended_executions(*, since: datetime, limit: Limit = 500) -> list[EndedExecution]:
    """Return the executions of workflows that ended since a moment, the oldest first."""
    ...
