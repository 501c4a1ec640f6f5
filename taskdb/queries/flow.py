"""Durations of work, and times of waiting: `sql/queries/flow.sql`.

All of it is read from history, as `sql/views/task_stays.sql` and `sql/views/task_flow.sql` put
it. Percentiles are those of completed tasks, and interpolate between two of them.
"""

from datetime import datetime
from uuid import UUID

from taskdb.models.flow import (
    AgeingTask,
    BurnUp,
    DayCount,
    FlowFigures,
    FlowGroup,
    Reopening,
    StatusTime,
    Stay,
    TaskFlow,
)
from taskdb.queries import query
from taskdb.queries.fields import Key, Limit, Name, Reported

__all__ = [
    "ageing",
    "burn_up",
    "by_agent",
    "by_agent_type",
    "of_task",
    "reopenings",
    "stays_of_task",
    "summary",
    "throughput",
    "time_in_status",
]


@query
def of_task(key: Key) -> TaskFlow:
    """Return when a task was created, started and completed, or raise `NotFoundError`."""
    ...


@query
def stays_of_task(key: Key) -> list[Stay]:
    """Return the stays of a task in its statuses, in order; together they are its life."""
    ...


@query
def summary(
    *, since: datetime | None = None, agent: Name | None = None, agent_type: Name | None = None
) -> FlowFigures:
    """Return lead and cycle times of what was completed since a moment, or ever.

    *agent* is who completed it, *agent_type* whom it is for.
    """
    ...


@query
def by_agent(*, since: datetime | None = None) -> list[FlowGroup]:
    """Return the same for each agent that completed something, the one with most first."""
    ...


@query
def by_agent_type(*, since: datetime | None = None) -> list[FlowGroup]:
    """Return the same for each agent type of what was completed, the one with most first."""
    ...


@query
def time_in_status(
    *, since: datetime | None = None, agent_type: Name | None = None
) -> list[StatusTime]:
    """Return the time that completed tasks stood in each status until then.

    A task that never was in a status does not count there. Skewed tasks are left out.
    """
    ...


@query
def throughput(
    *,
    since: Reported,
    until: Reported,
    agent: Name | None = None,
    agent_type: Name | None = None,
    zone: Name = "UTC",
) -> list[DayCount]:
    """Return completions and reopenings day by day, from *since* to before *until*.

    *agent* made the transition, *agent_type* is whom the task is for; days are those of *zone*. A
    task that is completed, reopened and completed again counts twice, and once as reopened.
    """
    ...


@query
def ageing(
    *, since: datetime | None = None, agent_type: Name | None = None, limit: Limit = 50
) -> list[AgeingTask]:
    """Return work in progress or in review, the oldest first.

    It is compared with what was completed since that moment, or ever, of every type.
    """
    ...


@query
def reopenings(*, since: datetime, limit: Limit = 50) -> list[Reopening]:
    """Return transitions from a finished status back to an open one, the newest first.

    It looks at all changes since that moment: a far one takes its time.
    """
    ...


@query
def burn_up(
    *, epic: Key | None = None, task_ids: list[UUID] | None = None, zone: Name = "UTC"
) -> list[BurnUp]:
    """Return all and completed tasks at the end of each day, from the first day to today.

    Those of an epic, these, or all.

    Cancelled tasks are left out while they are cancelled. Those that the epic has now count
    from when they came, also if they were moved into it later.
    """
    ...
