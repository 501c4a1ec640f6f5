"""What the readers do alike: statuses and their moments, lapsed claims, the source's own words."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from taskdb.exchange.plan import LapsedClaim, Plan, PlanTask
from taskdb.exchange.rows import Row
from taskdb.models.types import TaskStatus

__all__ = [
    "UNKNOWN_AGENT",
    "settle_moments",
    "settle_status",
    "source_of",
    "whole_text",
]

UNKNOWN_AGENT: Final = "unknown"
DEFERRED: Final = "deferred"
STATUSES: Final = {
    "open": TaskStatus.PENDING,
    "pending": TaskStatus.PENDING,
    "in_progress": TaskStatus.IN_PROGRESS,
    "in-progress": TaskStatus.IN_PROGRESS,
    "hooked": TaskStatus.IN_PROGRESS,
    "review": TaskStatus.IN_REVIEW,
    "blocked": TaskStatus.BLOCKED,
    "closed": TaskStatus.COMPLETED,
    "done": TaskStatus.COMPLETED,
    "completed": TaskStatus.COMPLETED,
    "cancelled": TaskStatus.CANCELLED,
    "tombstone": TaskStatus.CANCELLED,
}


def source_of(plan: Plan, row: Row, **words: Any) -> dict[str, Any]:
    """Return ``metadata.source``: which import made this row, and the source's own words in it.

    `kind` and `file` are what a later import knows its own rows by.
    """
    said = {name: word for name, word in words.items() if word is not None}
    return {"kind": plan.kind, "file": plan.path, "at": row.where, **said, **row.odd}


def settle_status(row: Row, task: PlanTask, word: str | None) -> None:
    """Give a task the status that *word* means in beads and in claude-task-master.

    A deferred task is pending until its `scheduled_at`, or else blocked for that reason. A word
    that neither tracker has counts as pending, and is recorded.
    """
    if word == DEFERRED:
        if task.scheduled_at is None:
            task.status = TaskStatus.BLOCKED
            task.blocked_reason = DEFERRED
        return
    status = STATUSES.get(word or "")
    if status is None:
        row.changed(f"its status {word!r} is none that is known; it counts as pending")
    else:
        task.status = status


def settle_moments(
    row: Row, task: PlanTask, agent: str | None, updated_at: datetime | None
) -> None:
    """Make a task's moments fit its status, as the database demands it.

    A task in progress gets the lapsed claim of *agent*, and began at its latest change if
    nothing else is said. Only a completed one keeps the time of its completion, which can't
    lie before its creation. Every change is recorded.
    """
    if task.status is TaskStatus.IN_PROGRESS:
        task.started_at = task.started_at or updated_at or task.created_at
        task.claim = LapsedClaim(agent or UNKNOWN_AGENT, task.started_at)
    if task.status is TaskStatus.COMPLETED:
        _settle_completion(row, task)
    elif task.completed_at is not None:
        row.odd["completed_at"] = task.completed_at.isoformat()
        row.changed(
            f"has a time of completion, {task.completed_at.isoformat()}, but is {task.status}; "
            "the time stands in metadata.source"
        )
        task.completed_at = None


def whole_text(head: str | None, description: str | None) -> str | None:
    """Return a description with what would not fit into the title at its head."""
    return "\n\n".join(part for part in (head, description) if part) or None


def _settle_completion(row: Row, task: PlanTask) -> None:
    created: datetime | None = task.created_at
    if task.completed_at is None:
        return
    if created is not None and task.completed_at < created:
        row.odd["completed_at"] = task.completed_at.isoformat()
        row.changed(
            f"was completed at {task.completed_at.isoformat()}, before its creation at "
            f"{created.isoformat()}; the creation counts as its completion"
        )
        task.completed_at = created
