"""Writes the plan as beads has it: an issue a line, each with the edges that leave it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import orjson
import psycopg

from taskdb.exchange.archive import ArchiveReport
from taskdb.exchange.beads import (
    KIND,
    MEMORY,
    PARENT,
    PRIORITIES,
    REQUIREMENTS,
    WAITS_FOR,
    also_blocks,
)
from taskdb.exchange.leaving import (
    agent_of,
    fields_of,
    is_as_imported,
    moment_text,
    read_plan,
    relations_of,
    source_of,
)
from taskdb.exchange.losses import lost_anywhere
from taskdb.exchange.plan import ABOUT
from taskdb.exchange.words import normalize_word
from taskdb.models.jsontypes import is_dict
from taskdb.models.outgoing import OutgoingEdge, OutgoingTask
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["export_beads"]

Connection = psycopg.Connection[Any]

# The word of a hold that ends by hand alone: `blocked` ends with the last blocker.
ON_HOLD: Final = "deferred"
IN_REVIEW: Final = "in_review"
DELETED: Final = "tombstone"
WORDS: Final = {
    TaskStatus.PENDING: "open",
    TaskStatus.IN_PROGRESS: "in_progress",
    TaskStatus.IN_REVIEW: IN_REVIEW,
    TaskStatus.FAILED: ON_HOLD,
    TaskStatus.COMPLETED: "closed",
    TaskStatus.CANCELLED: DELETED,
}
EDGES: Final = {
    DependencyType.REQUIRES: "blocks",
    DependencyType.BLOCKS: "blocks",
    DependencyType.SUGGESTS: "related",
    DependencyType.CANCELLED_WITH: "blocks",
    DependencyType.COMPENSATES: "conditional-blocks",
}
# Fields of an earlier end, removed once the task has another status.
ENDINGS: Final = ("close_reason", "deleted_at", "deleted_by", "delete_reason")
DEFERRED: Final = "defer_until"


def export_beads(conn: Connection, out: BinaryIO) -> ArchiveReport:
    """Write every task as an issue, a JSON object a line, the oldest first.

    `taskdb import beads` reads it. *conn* must not be in a transaction.
    """
    tasks, report = read_plan(conn, _lost)
    by_key = {task.key: task for task in tasks}
    children: dict[str, set[str]] = {}
    for task in tasks:
        for parent in _parents(task):
            children.setdefault(parent, set()).add(task.key)
    for task in tasks:
        for memory in _memories(task):
            out.write(_line({"_type": MEMORY, **memory}))
        implied = _blockers_above(task, by_key) | _gated(task, children)
        out.write(_line(_issue(task, implied)))
    return report


def _line(values: dict[str, Any]) -> bytes:
    # Go's omitempty: what is empty is left out. A priority of 0 is the most urgent.
    raw = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    return orjson.dumps(raw, option=orjson.OPT_APPEND_NEWLINE)


def _memories(task: OutgoingTask) -> list[dict[str, Any]]:
    about = (task.metadata or {}).get(ABOUT) if source_of(task, KIND) else None
    return about.get("memories", []) if is_dict(about) else []


def _issue(task: OutgoingTask, implied: set[str]) -> dict[str, Any]:
    source, fields = source_of(task, KIND), fields_of(task, KIND)
    same = is_as_imported(task)
    status = _status(task, source)
    if not same:
        fields = {name: value for name, value in fields.items() if name not in ENDINGS}
        if status == DELETED:
            fields["deleted_at"] = moment_text(task.updated_at)
    requirements = task.requirements or {}
    closed_at = (source.get("completed_at") if same else None) or moment_text(task.completed_at)
    hours = task.estimated_hours
    return {
        "id": task.key,
        "title": task.title,
        "description": task.description,
        **{name: requirements.get(name) for name in REQUIREMENTS},
        "status": status,
        "priority": _priority(task.priority),
        "issue_type": "task",
        "assignee": agent_of(task, source),
        "created_at": moment_text(task.created_at),
        "created_by": task.created_by,
        "updated_at": moment_text(task.updated_at),
        "started_at": moment_text(task.started_at),
        "closed_at": closed_at,
        "estimated_minutes": None if hours is None else round(hours * 60),
        DEFERRED: _deferred(task, source),
        **fields,
        "labels": task.labels,
        "dependencies": list(_dependencies(task, implied)),
    }


def _status(task: OutgoingTask, source: Mapping[str, Any]) -> str:
    """Return the file's own word for the status if it still holds, or else that of beads."""
    raw = source.get("status")
    if isinstance(raw, str) and is_as_imported(task):
        return raw
    if task.status is TaskStatus.BLOCKED:
        # Its dependencies are in the file.
        return ON_HOLD if task.blocked_reason else "open"
    if task.status is TaskStatus.ARCHIVED:
        return "closed" if task.completed_at else DELETED
    return WORDS[task.status]


def _deferred(task: OutgoingTask, source: Mapping[str, Any]) -> str | None:
    """Return the task's own time; its parent's, that the import gave it, is written there."""
    at = moment_text(task.scheduled_at)
    if source and at == task.imported_scheduled_at:
        raw: str | None = source.get(DEFERRED)
        return raw
    return at


def _dependencies(task: OutgoingTask, implied: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the edges of a task, without those that follow from others of the file."""
    relations = relations_of(task, KIND)
    if task.parent is not None:
        yield _dependency(task, task.parent, PARENT)
    for edge in task.edges:
        if edge.blocker not in implied or edge.created_by is not None:
            kind = EDGES[edge.dependency_type]
            yield {**_dependency(task, edge.blocker, kind), **_origin(edge)}
    for relation in relations:
        kind, other = relation.pop("type"), relation.pop("key")
        if relation.pop("refused", None) is not None and kind == "parent":
            kind = PARENT
        yield {**_dependency(task, other, kind), **relation}


def _dependency(task: OutgoingTask, other: str, kind: str) -> dict[str, Any]:
    return {"issue_id": task.key, "depends_on_id": other, "type": kind}


def _origin(edge: OutgoingEdge) -> dict[str, str | None]:
    by = {"created_by": edge.created_by} if edge.created_by else {}
    return {"created_at": moment_text(edge.created_at), **by}


def _blockers_above(task: OutgoingTask, tasks: Mapping[str, OutgoingTask]) -> set[str]:
    """Return what the tasks above *task* wait for: in beads it waits for that as well."""
    found: set[str] = set()
    met: set[str] = {task.key}
    above = [task]
    while above:
        for key in _parents(above.pop()):
            if key in tasks and key not in met:
                met.add(key)
                above.append(tasks[key])
                found.update(tasks[key].blocked_by)
    return found


def _gated(task: OutgoingTask, children: Mapping[str, set[str]]) -> set[str]:
    """Return what a task waits for because it waits for the children of an issue."""
    found: set[str] = set()
    for relation in relations_of(task, KIND):
        if normalize_word(relation["type"]) == WAITS_FOR:
            found |= children.get(relation["key"], set())
            if also_blocks(relation.get("metadata")):
                found.add(relation["key"])
    return found


def _parents(task: OutgoingTask) -> Iterator[str]:
    if task.parent is not None:
        yield task.parent
    for relation in relations_of(task, KIND):
        if relation.get("type") == "parent" and "refused" in relation:
            yield relation["key"]


def _priority(priority: int) -> int:
    """Return the nearest of the levels of beads, 0 to 4; between two the more urgent one."""
    return min(PRIORITIES, key=lambda level: abs(PRIORITIES[level] - priority))


def _lost(task: OutgoingTask) -> Iterator[str]:
    """Name what an issue can't hold of a task."""
    own = bool(source_of(task, KIND))
    requirements = task.requirements or {}
    if any(
        name not in REQUIREMENTS or not isinstance(value, str)
        for name, value in requirements.items()
    ):
        yield "requirements beyond design and acceptance criteria"
    yield from lost_anywhere(task)
    if task.metadata and not own:
        yield "metadata"
    if not (own and is_as_imported(task)):
        yield from _lost_status(task)
    if PRIORITIES[_priority(task.priority)] != task.priority:
        yield "priorities, which become the nearest of 0 to 4"
    for edge in task.edges:
        if edge.dependency_type is DependencyType.SUGGESTS:
            yield "suggestions, which become related"
        elif edge.dependency_type is not DependencyType.BLOCKS:
            yield f"{edge.dependency_type.value}, which become {EDGES[edge.dependency_type]}"


def _lost_status(task: OutgoingTask) -> Iterator[str]:
    if task.blocked_reason:
        yield "reasons of holds, which become deferred"
    if task.status is TaskStatus.FAILED:
        yield "failed tasks, which become deferred"
    if task.status is TaskStatus.ARCHIVED:
        yield "archived tasks, which become closed or deleted"
    if task.status is TaskStatus.IN_REVIEW:
        yield "tasks in review, a status that beads must be told of (status.custom in_review)"
