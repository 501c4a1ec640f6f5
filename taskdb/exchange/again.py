"""A plan that was imported before: what changed in the file, what changed here, what in both.

Pure: what the file had the last time, what it has now and what the database has are compared
field by field. A field that changed on one side has that side's value; one that changed on both
is a conflict, unless both say the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from taskdb.exchange.graph import is_satisfied
from taskdb.exchange.plan import SOURCE, Plan, PlanTask
from taskdb.exchange.report import STATUS, Change, ChangeKind
from taskdb.models.tasks import Task
from taskdb.models.types import TaskStatus

__all__ = [
    "DEPENDS_ON",
    "METADATA",
    "STATUS",
    "WAITS_FOR",
    "OnConflict",
    "State",
    "TaskUpdate",
    "compare",
    "content_here",
    "content_of_tasks",
    "states_of_tasks",
]

Content = dict[str, Any]
State = tuple[TaskStatus, str | None]

METADATA: Final = "metadata"
DEPENDS_ON: Final = "depends_on"
# The field of a change of what a task waits for.
WAITS_FOR: Final = "waits for {}"
PLAIN: Final = (
    "title",
    "description",
    "priority",
    "agent_type",
    "assigned_agent",
    "execution_order",
    "requirements",
    "context",
    "file_path",
)


class OnConflict(StrEnum):
    """Winner where a field changed on both sides; *stop* imports nothing then."""

    THEIRS = "theirs"
    OURS = "ours"
    STOP = "stop"


@dataclass(slots=True)
class TaskUpdate:
    """Update of a task, and its file's values after it.

    `fields` are for `tasks.update`, `feature` and `parent` being keys; `status` is the new one
    and its reason; `names` are the fields of metadata that changed, `gone` those that went.
    """

    key: str
    task_id: UUID
    content: Content
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    status: State | None = None
    names: list[str] = field(default_factory=list[str])
    gone: list[str] = field(default_factory=list[str])
    added: dict[str, str] = field(default_factory=dict[str, str])
    removed: list[str] = field(default_factory=list[str])
    changes: list[Change] = field(default_factory=list[Change])

    @property
    def conflicts(self) -> list[Change]:
        """The fields that changed on both sides."""
        return [change for change in self.changes if change.kind is ChangeKind.BOTH]


def states_of_tasks(plan: Plan) -> dict[str, State]:
    """Return the status of each task of a normalized plan, and why it is on hold, if it is.

    A blocked task that waits for an open one is pending: the database makes it blocked.
    """
    tasks = plan.tasks_by_key()
    waiting: set[str] = set()
    for edge in (*plan.edges, *plan.waits):
        blocker = tasks[edge.depends_on]
        completed = blocker.completed_at is not None
        if not is_satisfied(edge.dependency_type, blocker.status, completed):
            waiting.add(edge.task)
    return {task.key: _state(plan, task, task.key in waiting) for task in plan.tasks}


def content_of_tasks(
    plan: Plan, states: Mapping[str, State], usable: frozenset[str]
) -> dict[str, Content]:
    """Return what a plan says of each task, as JSON holds it; of others, only the *usable*."""
    waits: dict[str, dict[str, str]] = {}
    for edge in (*plan.edges, *plan.waits):
        if edge.depends_on in usable:
            waits.setdefault(edge.task, {})[edge.depends_on] = edge.dependency_type.value
    return {
        task.key: {
            **{name: getattr(task, name) for name in PLAIN},
            STATUS: [states[task.key][0].value, states[task.key][1]],
            "estimated_hours": _text(task.estimated_hours),
            "actual_hours": _text(task.actual_hours),
            "scheduled_at": task.scheduled_at and task.scheduled_at.isoformat(),
            "parent": task.parent if task.parent in usable else None,
            "feature": task.feature,
            "labels": list(task.labels),
            METADATA: dict(_digests(task.metadata)),
            DEPENDS_ON: waits.get(task.key, {}),
        }
        for task in plan.tasks
    }


def content_here(task: Task, keys: Mapping[UUID, str], features: Mapping[UUID, str]) -> Content:
    """Return what the database says of a task, in the same form, without its metadata."""
    status, reason = task.status, task.blocked_reason
    if status is TaskStatus.BLOCKED and reason is None:
        status = TaskStatus.PENDING
    return {
        **{name: getattr(task, name) for name in PLAIN},
        STATUS: [status.value, reason],
        "estimated_hours": _text(task.estimated_hours),
        "actual_hours": _text(task.actual_hours),
        "scheduled_at": task.scheduled_at and task.scheduled_at.isoformat(),
        "parent": task.parent_id and keys.get(task.parent_id, str(task.parent_id)),
        "feature": task.feature_id and features.get(task.feature_id, str(task.feature_id)),
        "labels": task.labels,
    }


def compare(
    update: TaskUpdate,
    before: Content,
    here: Content,
    *,
    edges_here: frozenset[str],
    on_conflict: OnConflict,
) -> None:
    """Fill *update* with what its content changes, beside that *before* and the one *here*."""
    content = update.content
    for name in (*PLAIN, STATUS, "estimated_hours", "actual_hours", "scheduled_at"):
        _compare_field(update, name, before, here, on_conflict)
    for name in ("parent", "feature", "labels"):
        _compare_field(update, name, before, here, on_conflict)
    old: dict[str, str] = before.get(METADATA) or {}
    new: dict[str, str] = content[METADATA]
    update.names = [name for name in new if old.get(name) != new[name]]
    update.gone = [name for name in old if name not in new]
    update.changes += [
        Change(update.key, f"{METADATA}.{name}", ChangeKind.CHANGED, None, None, None)
        for name in (*update.names, *update.gone)
    ]
    _compare_edges(update, before.get(DEPENDS_ON) or {}, content[DEPENDS_ON], edges_here)


def _compare_field(
    update: TaskUpdate, name: str, before: Content, here: Content, on_conflict: OnConflict
) -> None:
    old, ours = before.get(name), here[name]
    new: Any = update.content[name]
    if new in (old, ours):
        return
    both = ours != old
    kind = ChangeKind.BOTH if both else ChangeKind.CHANGED
    reported = map(_state_text, (old, new, ours)) if name == STATUS else (old, new, ours)
    update.changes.append(Change(update.key, name, kind, *reported))
    if both and on_conflict is not OnConflict.THEIRS:
        return
    if name == STATUS:
        update.status = (TaskStatus(new[0]), new[1])
    else:
        update.fields[name] = new


def _state_text(state: Any) -> str:
    word, reason = state
    return f"{word} ({reason})" if reason else str(word)


def _compare_edges(
    update: TaskUpdate, old: dict[str, str], new: dict[str, str], here: frozenset[str]
) -> None:
    update.removed = [key for key in old if new.get(key) != old[key] and key in here]
    update.added = {
        key: kind
        for key, kind in new.items()
        if old.get(key) != kind and (key not in here or key in update.removed)
    }
    for key in dict.fromkeys((*update.removed, *update.added)):
        was = old.get(key) if key in here else None
        update.changes.append(
            Change(update.key, WAITS_FOR.format(key), ChangeKind.CHANGED, was, new.get(key), was)
        )


def _state(plan: Plan, task: PlanTask, waiting: bool) -> State:
    if task.status is not TaskStatus.BLOCKED or task.blocked_reason is not None:
        return task.status, task.blocked_reason
    return (
        (TaskStatus.PENDING, None) if waiting else (TaskStatus.BLOCKED, f"blocked in {plan.kind}")
    )


def _digests(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    # Where in the file a task stands is nothing that it says.
    source = {name: value for name, value in metadata.get(SOURCE, {}).items() if name != "at"}
    for name, value in {**metadata, SOURCE: source}.items():
        text = orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS)
        yield name, hashlib.sha256(text).hexdigest()[:16]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
