"""Writes the plan as claude-task-master has it: a ``tasks.json`` with tags, tasks and subtasks."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final

import orjson
import psycopg

from taskdb.exchange.archive import ArchiveReport
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
from taskdb.exchange.shaping import label_names
from taskdb.exchange.taskmaster import (
    COMPLEXITY,
    FLAT_TAG,
    KIND,
    ORDINARY_PRIORITY,
    PRIORITIES,
    REQUIREMENTS,
    key_of_blocker,
)
from taskdb.exchange.taskmasternumbers import Numbers
from taskdb.models.jsontypes import is_dict, is_list
from taskdb.models.outgoing import OutgoingTask
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["export_taskmaster"]

Connection = psycopg.Connection[Any]

# The word of a hold that ends by hand alone.
ON_HOLD: Final = "deferred"
WORDS: Final = {
    TaskStatus.PENDING: "pending",
    TaskStatus.IN_PROGRESS: "in-progress",
    TaskStatus.IN_REVIEW: "review",
    TaskStatus.FAILED: ON_HOLD,
    TaskStatus.COMPLETED: "done",
    TaskStatus.CANCELLED: "cancelled",
}


def export_taskmaster(conn: Connection, out: BinaryIO) -> ArchiveReport:
    """Write every task below its tag, and below its parent, as a JSON document.

    `taskdb import taskmaster` reads it. *conn* must not be in a transaction.
    """
    tasks, report = read_plan(conn, _lost)
    writer = _Writer(tasks)
    document = writer.document()
    out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    report.lost.update(writer.lost)
    return report


class _Writer:
    def __init__(self, tasks: list[OutgoingTask]) -> None:
        self.tasks = tasks
        self.numbers = Numbers(tasks)
        self.lost = {
            "keys that are no ids of task-master, which become numbers": self.numbers.renumbered,
            "parents below the eighth level": self.numbers.raised,
            "dependencies between tags": 0,
            "dependencies of subtasks on tasks with the number of a subtask": 0,
        }

    def document(self) -> dict[str, Any]:
        """Return the tags, and what the files have of themselves."""
        document: dict[str, Any] = {
            tag: {"tasks": [self._task(task, None, ()) for task in tasks]}
            for tag, tasks in self.numbers.by_tag()
        }
        for task in self.tasks:
            for name, raw in _about(task):
                if name in document and is_dict(raw):
                    document[name] = {**raw, **document[name]}
                elif name != "tasks":
                    document.setdefault(name, raw)
        return document or {FLAT_TAG: {"tasks": []}}

    def _task(
        self, task: OutgoingTask, parent: OutgoingTask | None, beside: Container[str]
    ) -> dict[str, Any]:
        """Return a task as the file has it; *beside* are the keys of its parent's subtasks."""
        source, fields = source_of(task, KIND), fields_of(task, KIND)
        fields.pop(COMPLEXITY, None)
        if list(label_names(fields.get("tags"))) != task.labels:
            fields["tags"] = task.labels
        requirements = task.requirements or {}
        raw = {
            "id": self.numbers.id_of(task),
            "title": task.title,
            "description": task.description or "",
            **{theirs: requirements.get(ours) for theirs, ours in REQUIREMENTS.items()},
            "status": _status(task, source),
            "dependencies": list(self._dependencies(task, parent, beside, source)),
            "priority": _priority(task, source, parent),
            "assignee": agent_of(task, source),
            **_moments(task, source),
        }
        raw |= {name: value for name, value in fields.items() if name not in raw}
        kept = {name: value for name, value in raw.items() if value not in (None, [], {})}
        kept.setdefault("dependencies", [])
        children = self.numbers.children_of(task)
        keys = {self.numbers.key_of(child) for child in children}
        below = [self._task(child, task, keys) for child in children]
        if below or parent is None:
            kept["subtasks"] = below
        return kept

    def _dependencies(
        self,
        task: OutgoingTask,
        parent: OutgoingTask | None,
        beside: Container[str],
        source: Mapping[str, Any],
    ) -> Iterator[int | str]:
        """Yield what a task waits for: first as its file has it, then what was added here."""
        key, tag = self.numbers.key_of(task), self.numbers.tag_of(task)
        above = self.numbers.key_of(parent) if parent else None
        edges = {
            self.numbers.keys[edge.blocker]: edge
            for edge in task.edges
            if edge.dependency_type is not DependencyType.SUGGESTS
        }
        refused = {each.get("key") for each in relations_of(task, KIND) if "refused" in each}
        met: set[str] = set()
        for name in _said_names(source) if key == task.key else ():
            blocker = key_of_blocker(str(name), tag, above, beside)
            if blocker not in met and (blocker in edges or blocker in refused):
                met.add(blocker)
                yield name
        for blocker, edge in edges.items():
            if blocker in met or (blocker.startswith(f"{key}.") and edge.created_by is None):
                # A task is done with its subtasks: the tool needs no dependency for that.
                continue
            if self.numbers.tags[blocker] != tag:
                self.lost["dependencies between tags"] += 1
                continue
            name = self.numbers.name_of(blocker)
            if key_of_blocker(str(name), tag, above, beside) == blocker:
                yield name
            else:
                self.lost["dependencies of subtasks on tasks with the number of a subtask"] += 1


def _about(task: OutgoingTask) -> Iterator[tuple[str, Any]]:
    about = (task.metadata or {}).get(ABOUT) if source_of(task, KIND) else None
    yield from about.items() if is_dict(about) else ()


def _said_names(source: Mapping[str, Any]) -> Iterator[int | str]:
    raw = source.get("dependencies")
    for name in raw if is_list(raw) else ():
        if isinstance(name, int | str):
            yield name


def _status(task: OutgoingTask, source: Mapping[str, Any]) -> str | None:
    """Return the file's own word for the status if it still holds, or else that of the tool."""
    if source and is_as_imported(task):
        raw = source.get("status")
        return raw if isinstance(raw, str) else None
    if task.status is TaskStatus.BLOCKED:
        # Its dependencies tell of its blockers.
        return ON_HOLD if task.blocked_reason else WORDS[TaskStatus.PENDING]
    if task.status is TaskStatus.ARCHIVED:
        return WORDS[TaskStatus.COMPLETED if task.completed_at else TaskStatus.CANCELLED]
    return WORDS[task.status]


def _priority(
    task: OutgoingTask, source: Mapping[str, Any], parent: OutgoingTask | None
) -> str | None:
    """Return the file's own word if it still holds, or the nearest; None if it goes without."""
    raw = source.get("priority")
    usual = parent.priority if parent else ORDINARY_PRIORITY
    if isinstance(raw, str):
        meant = PRIORITIES.get(raw.casefold(), ORDINARY_PRIORITY)
        return raw if meant == task.priority else _nearest(task.priority)
    if (source or parent) and raw is None and task.priority == usual:
        return None
    return _nearest(task.priority)


def _nearest(priority: int) -> str:
    """Return the nearest word for a priority; between two the more urgent one."""
    return min(PRIORITIES, key=lambda word: abs(PRIORITIES[word] - priority))


def _moments(task: OutgoingTask, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the times of a task: its file's as long as the status is, and its own times then."""
    created_at = source.get("created_at") if source else moment_text(task.created_at)
    if source and is_as_imported(task):
        return {
            "createdAt": created_at,
            "updatedAt": source.get("updated_at"),
            "completedAt": source.get("closed_at"),
        }
    # The time of a task that is done is that of its latest change, for the reader as well.
    return {
        "createdAt": created_at,
        "updatedAt": moment_text(task.completed_at or task.updated_at),
    }


def _lost(task: OutgoingTask) -> Iterable[str]:
    """Name what a tasks.json can't hold of a task."""
    source = source_of(task, KIND)
    if any(name not in REQUIREMENTS.values() for name in task.requirements or {}):
        yield "requirements beyond details, test strategy and acceptance criteria"
    yield from lost_anywhere(task)
    if task.estimated_hours is not None:
        yield "estimates"
    if task.scheduled_at is not None:
        yield "schedules"
    if task.created_by is not None:
        yield "names of creators"
    if COMPLEXITY in fields_of(task, KIND):
        yield "reports on complexity, which have files of their own"
    if task.metadata and not source:
        yield "metadata"
    if not (source and is_as_imported(task)):
        yield from _lost_status(task)
    if _is_between(task, source):
        yield "priorities, which become the nearest of critical, high, medium and low"
    for edge in task.edges:
        if edge.dependency_type is DependencyType.SUGGESTS:
            yield "suggestions"
        elif edge.dependency_type is DependencyType.BLOCKS:
            yield "blocks, which become requires"


def _is_between(task: OutgoingTask, source: Mapping[str, Any]) -> bool:
    raw = source.get("priority")
    is_own = isinstance(raw, str) and raw.casefold() not in PRIORITIES
    return PRIORITIES[_nearest(task.priority)] != task.priority and not is_own


def _lost_status(task: OutgoingTask) -> Iterator[str]:
    if task.blocked_reason:
        yield "reasons of holds, which become deferred"
    if task.status is TaskStatus.FAILED:
        yield "failed tasks, which become deferred"
    if task.status is TaskStatus.ARCHIVED:
        yield "archived tasks, which become done or cancelled"
