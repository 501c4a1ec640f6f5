"""The lives of tasks: what a file says of their times becomes history, where it has no better.

A tracker that keeps no history still says when a task was made, begun and closed, and by whom.
These moments become rows like those of a history, so that lead times, burn-up and throughput of
an imported plan are those of its life, and not of the day it was imported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from taskdb.exchange.plan import Plan, PlanHistory, PlanTask
from taskdb.exchange.rows import LONGEST_NAME
from taskdb.exchange.shaping import CLOSED, UNKNOWN_AGENT
from taskdb.models.types import TaskStatus

__all__ = ["named", "report_lives"]


def report_lives(plan: Plan) -> None:
    """Add to the history of *plan* what its tasks' moments say beyond it, as derived rows."""
    reported: defaultdict[str, list[PlanHistory]] = defaultdict(list)
    for row in plan.history:
        reported[row.task].append(row)
    for task in plan.tasks:
        rows = reported.get(task.key)
        plan.history += _ending(task, rows) if rows else _life(task)


def _ending(task: PlanTask, rows: list[PlanHistory]) -> list[PlanHistory]:
    """Return when a task was closed, if its history stops before that."""
    last = max(rows, key=lambda row: row.created_at)
    closed_at = _closed_at(task)
    if closed_at is None or last.new_status is task.status or closed_at < last.created_at:
        return []
    return [_closing(task, last.new_status, closed_at)]


def _life(task: PlanTask) -> list[PlanHistory]:
    """Return the moments of a task's creation, start and end; none if its status never changed."""
    transitions = list(_transitions(task))
    if transitions and task.created_at is not None and task.created_at <= transitions[0].created_at:
        came = PlanHistory(
            task.key,
            None,
            TaskStatus.PENDING,
            named(task.created_by),
            task.created_at,
            derived=True,
        )
        transitions.insert(0, came)
    return transitions


def _transitions(task: PlanTask) -> Iterator[PlanHistory]:
    closed_at = _closed_at(task)
    stands = TaskStatus.PENDING
    # `started_at` of a task in progress may be a guess, for its claim.
    guessed = task.status is TaskStatus.IN_PROGRESS
    begun_at = task.begun_at or (None if guessed else task.started_at)
    if begun_at is not None and (closed_at is None or begun_at <= closed_at):
        begun = TaskStatus.IN_PROGRESS
        yield PlanHistory(task.key, stands, begun, named(task.worker), begun_at, derived=True)
        stands = begun
    if closed_at is not None:
        yield _closing(task, stands, closed_at)


def _closing(task: PlanTask, stands: TaskStatus, closed_at: datetime) -> PlanHistory:
    agent = named(task.closed_by or task.worker)
    return PlanHistory(
        task.key, stands, task.status, agent, closed_at, task.close_note, derived=True
    )


def _closed_at(task: PlanTask) -> datetime | None:
    """Return when a closed task was closed, in the file's own words."""
    return (task.closed_at or task.completed_at) if task.status in CLOSED else None


def named(agent: str | None) -> str:
    """Return the name of an agent for a row of history, which must have one."""
    return agent if agent and len(agent) <= LONGEST_NAME else UNKNOWN_AGENT
