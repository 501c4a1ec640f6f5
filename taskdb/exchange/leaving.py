"""The plan on its way out: what the writers of other trackers' files have in common.

A task that came from such a file goes back in that file's own words, as far as they still say what
the database says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from taskdb.exchange.archive import ArchiveReport, snapshot
from taskdb.exchange.plan import ABOUT, RELATIONS, SOURCE
from taskdb.exchange.shaping import UNKNOWN_AGENT, is_unread
from taskdb.models.jsontypes import is_dict, is_list
from taskdb.models.outgoing import OutgoingTask
from taskdb.models.types import TaskStatus
from taskdb.queries import outgoing

__all__ = [
    "agent_of",
    "fields_of",
    "is_as_imported",
    "moment_text",
    "read_plan",
    "relations_of",
    "source_of",
]


def read_plan(
    conn: Connection[Any], lost: Callable[[OutgoingTask], Iterable[str]]
) -> tuple[list[OutgoingTask], ArchiveReport]:
    """Return every task, the oldest first, and the report, with what *lost* names of each."""
    with snapshot(conn):
        tasks = outgoing.list_plan(conn)
        beside = outgoing.count_beside(conn)
    counts = Counter[str](
        {
            "history": beside.history,
            "checklist lines": beside.checklist,
            "files": beside.files,
            "specifications": beside.specifications,
            "external dependencies": beside.external_dependencies,
        }
    )
    for task in tasks:
        counts.update(lost(task))
    return tasks, ArchiveReport(tables={"tasks": len(tasks)}, lost=dict(counts))


def source_of(task: OutgoingTask, kind: str) -> dict[str, Any]:
    """Return the words of the file that a task came from, if its tracker was *kind*."""
    source = (task.metadata or {}).get(SOURCE)
    return source if is_dict(source) and source.get("kind") == kind else {}


def fields_of(task: OutgoingTask, kind: str) -> dict[str, Any]:
    """Return the fields of a task's file that taskdb only keeps, if its tracker was *kind*."""
    if not source_of(task, kind):
        return {}
    taken = (SOURCE, ABOUT, RELATIONS)
    fields = {name: value for name, value in (task.metadata or {}).items() if name not in taken}
    # Where the importer needed the name of a field for itself: Plan.keep.
    back = {f"{name}_": name for name in taken}
    return {back.get(name, name): value for name, value in fields.items()}


def relations_of(task: OutgoingTask, kind: str) -> list[dict[str, Any]]:
    """Return the relations of a task that are no dependencies here, or were refused."""
    found = (task.metadata or {}).get(RELATIONS) if source_of(task, kind) else None
    return [dict(each) for each in found] if is_list(found) else []


def is_as_imported(task: OutgoingTask) -> bool:
    """Return whether the status, and the reason of a hold, are still those of the task's file."""
    # A task that waits for its dependencies counts as pending: again.content_here.
    waits = task.status is TaskStatus.BLOCKED and task.blocked_reason is None
    status = TaskStatus.PENDING if waits else task.status
    state = [status.value, task.blocked_reason]
    return task.imported_status == state and not is_unread(task.blocked_reason)


def agent_of(task: OutgoingTask, source: Mapping[str, Any]) -> str | None:
    """Return who works on a task, for whom it is reserved, or whom its file names."""
    claimed = task.claim_agent
    if claimed == UNKNOWN_AGENT and is_as_imported(task):
        # The import's own word for nobody.
        claimed = None
    named = claimed or task.assigned_agent or source.get("assignee")
    return named if isinstance(named, str) else None


def moment_text(moment: datetime | None) -> str | None:
    """Return a moment as ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat() if moment else None
