"""Figures of a plan: `sql/queries/planning.sql`.

`sql/functions/plan_schedule.sql` says what is taken as given. Hours are a task's estimate,
else the median of the finished tasks of its agent type, else one.
"""

from collections.abc import Awaitable
from typing import Annotated, Any, TypedDict, Unpack, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.models.planning import PlannedTask, UnblockingTask, Wave
from taskdb.queries import query
from taskdb.queries.fields import Key
from taskdb.query import Length, Range

__all__ = [
    "critical_path",
    "execution_waves",
    "ready_by_unblocks",
    "schedule",
    "unblocks",
    "unblocks_of",
]

# Each is a walk through all that waits.
Few = Annotated[int, Range(1, 1000)]
Keys = Annotated[list[Key], Length(0, 1000)]


@query
def schedule(
    *,
    epic: Key | None = None,
    feature: Key | None = None,
    workflow_id: UUID | None = None,
    task_ids: list[UUID] | None = None,
    critical: bool = False,
) -> list[PlannedTask]:
    """Return the earliest start and end of each open task, the earliest first.

    Of an epic, a feature, a workflow, of *task_ids*, or of the whole plan. The open tasks
    outside that they wait for are there too, without `in_scope`: they come first all the same.
    What is in progress counts with all its hours; neither calendars nor `scheduled_at` are
    looked at. With *critical* only what `critical_path` returns.
    """
    ...


class ScheduleScope(TypedDict, total=False):
    """Of which tasks a schedule is: the arguments of `schedule`."""

    epic: Key | None
    feature: Key | None
    workflow_id: UUID | None
    task_ids: list[UUID] | None


@overload
def critical_path(conn: Connection[Any], **scope: Unpack[ScheduleScope]) -> list[PlannedTask]: ...
@overload
def critical_path(
    conn: AsyncConnection[Any], **scope: Unpack[ScheduleScope]
) -> Awaitable[list[PlannedTask]]: ...
def critical_path(
    conn: Connection[Any] | AsyncConnection[Any], **scope: Unpack[ScheduleScope]
) -> list[PlannedTask] | Awaitable[list[PlannedTask]]:
    """Return one longest chain of open tasks, in the order of work; its scope is `schedule`'s.

    The last one's `earliest_finish_hours` is when all can be done at the earliest. Other
    tasks may have no slack either: then there are several longest chains.
    """
    return schedule(conn, critical=True, **scope)


@query
def execution_waves(
    *,
    epic: Key | None = None,
    feature: Key | None = None,
    workflow_id: UUID | None = None,
    task_ids: list[UUID] | None = None,
) -> list[Wave]:
    """Return tasks that can run in parallel, wave by wave; its scope is `schedule`'s."""
    ...


@query
def unblocks(key: Key) -> int:
    """Return the number of open tasks that wait for a task, directly or not; 0 if it is completed.

    Raises `NotFoundError` if there is no such task.
    """
    ...


@query
def unblocks_of(keys: Keys) -> list[UnblockingTask]:
    """Return the same for several tasks, the one that most wait for first."""
    ...


@query
def ready_by_unblocks(*, limit: Few = 20) -> list[UnblockingTask]:
    """Return the *limit* first claimable tasks, by the number of open tasks that wait for each."""
    ...
