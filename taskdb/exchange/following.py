"""The transitions that a file reports of a task since its last import, with their own times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from taskdb.exchange.lives import named
from taskdb.exchange.plan import PlanHistory, PlanTask
from taskdb.exchange.shaping import is_open
from taskdb.models.types import TaskStatus

__all__ = ["TrackerTransition", "transitions"]


@dataclass(slots=True, frozen=True)
class TrackerTransition:
    """A change of status in the tracker; *at* None is now, as far as the file says."""

    status: TaskStatus
    reason: str | None
    agent: str
    at: datetime | None
    note: str | None


def transitions(
    task: PlanTask,
    history: Iterable[PlanHistory],
    state: tuple[TaskStatus, str | None],
    *,
    here: TaskStatus,
    reported_at: datetime | None,
    note: str,
) -> Iterator[TrackerTransition]:
    """Yield what leads a task from its status *here* to its new *state*, the oldest first.

    *history* is what the file reports of the task; what is no later than *reported_at* was imported
    before. Holds are skipped, as they may have ended. A *state* that the history does not lead to
    came with the task's latest change. The *note* is for what the file does not explain.
    """
    status, reason = state
    for row in sorted(history, key=lambda row: row.created_at):
        if row.old_status is None or (reported_at is not None and row.created_at <= reported_at):
            continue
        reported_at = row.created_at
        if row.new_status not in (here, TaskStatus.BLOCKED):
            here = row.new_status
            why = row.note or (note if here is status else None)
            yield TrackerTransition(here, None, row.agent, reported_at, why)
    if here is TaskStatus.BLOCKED is status:
        # A new reason is a new hold: the old one is lifted first.
        here = TaskStatus.PENDING
        yield TrackerTransition(
            here, None, named(task.worker), _later(task.changed_at, reported_at), None
        )
    if here is not status:
        why = note if is_open(task) else task.close_note or note
        agent = named(task.worker if is_open(task) else task.closed_by or task.worker)
        yield TrackerTransition(status, reason, agent, _later(task.changed_at, reported_at), why)


def _later(at: datetime | None, reported_at: datetime | None) -> datetime | None:
    return at if at is not None and (reported_at is None or at > reported_at) else None
