"""Code shared by the readers: statuses and their moments, lapsed claims, the source's own words."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any, Final

from taskdb.exchange.plan import LapsedClaim, Plan, PlanTask
from taskdb.exchange.rows import LONGEST_NAME, Row, storable
from taskdb.exchange.words import HOLD, LATER, is_work, normalize_word, status_of
from taskdb.models.jsontypes import is_dict, is_list
from taskdb.models.types import TaskStatus

__all__ = [
    "CLOSED",
    "LABELS",
    "UNKNOWN_AGENT",
    "explain_hold",
    "hold",
    "hold_flags",
    "hold_type",
    "hold_unread",
    "is_open",
    "is_unread",
    "label_names",
    "normalize_moments",
    "normalize_status",
    "not_work",
    "source_of",
    "split_text",
    "take_labels",
    "whole_text",
]

SEPARATORS: Final = re.compile(r"[,;\n]")
UNKNOWN_AGENT: Final = "unknown"
BLOCKED: Final = "blocked"
LABELS: Final = "labels"
NO_STATUS: Final = "no status"
STATUS: Final = "status"
UNREAD: Final = re.compile(r"(?:.*; )?its \w+ can't be read(?:; .*)?", re.DOTALL)
UNREAD_STATUS: Final = "its status can't be read"
CLOSED: Final = frozenset({TaskStatus.COMPLETED, TaskStatus.CANCELLED, TaskStatus.ARCHIVED})


def source_of(plan: Plan, row: Row, **words: Any) -> dict[str, Any]:
    """Return ``metadata.source``: which import made this row, and the source's own words in it.

    `kind` and `file` are what a later import knows its own rows by.
    """
    raw = {name: word for name, word in words.items() if word is not None}
    return {"kind": plan.kind, "file": plan.path, "at": row.where, **raw, **row.odd}


def is_open(task: PlanTask) -> bool:
    """Return whether a task is still to be finished."""
    return task.status not in CLOSED


def hold(task: PlanTask, reason: str) -> None:
    """Put an open task on hold; each of several reasons stands there."""
    if is_open(task):
        task.status = TaskStatus.BLOCKED
        task.claim = None
        task.blocked_reason = "; ".join(filter(None, (task.blocked_reason, reason)))


def not_work(task: PlanTask, reason: str) -> None:
    """Put an open task on hold that nobody is ever to work on, not even after a reset."""
    task.no_work = "; ".join(filter(None, (task.no_work, reason)))
    hold(task, reason)


def explain_hold(task: PlanTask, word: str | None, reason: str | None) -> None:
    """Give a task on hold the tracker's own *reason*, after the word unless that says no more."""
    if task.status is TaskStatus.BLOCKED and reason is not None:
        is_plain = word is not None and normalize_word(word) == BLOCKED
        task.blocked_reason = reason if is_plain else f"{task.blocked_reason}: {reason}"


def hold_type(row: Row, task: PlanTask, kind: object) -> None:
    """Put a task on hold that is of a type that nobody is known to work on."""
    if kind in (None, "", [], {}) or (isinstance(kind, str) and is_work(kind)):
        return
    if is_open(task):
        row.changed(f"its type {kind!r} is unknown; it is on hold for that reason")
    not_work(task, storable(str(kind)))


def hold_flags(row: Row, task: PlanTask, harmless: Container[str] = frozenset()) -> None:
    """Put a task on hold for each flag that is left in its row, but those that are *harmless*."""
    for flag in row.flags():
        if flag not in harmless:
            if is_open(task):
                row.changed(f"has the unknown flag {flag!r}; it is on hold for that reason")
            not_work(task, storable(flag))


def is_unread(reason: str | None) -> bool:
    """Return whether a task is on hold for a field that a writer can't give back."""
    return reason is not None and UNREAD.fullmatch(reason) is not None


def hold_unread(row: Row, task: PlanTask, *names: str) -> None:
    """Put a task on hold, if nothing does yet, for a field that may do so and can't be read.

    One that is in progress or in review no longer waits.
    """
    for name in names:
        waits = task.status in (TaskStatus.PENDING, TaskStatus.BLOCKED)
        if name in row.unread and waits and task.blocked_reason is None:
            hold(task, f"its {name} can't be read")


def normalize_status(
    row: Row,
    task: PlanTask,
    word: str | None,
    *,
    absent: TaskStatus | None = None,
    own: Mapping[str, TaskStatus] | None = None,
    offers: str | None = None,
) -> None:
    """Give a task the status that *word* means, or *absent* if its row has no field ``status``.

    *own* are words that the tracker uses in its own way; *offers* is the only one of tasks that
    it offers, if it has but one. A task of an unknown word is completed if it has a time of
    completion, and else on hold: the word is the reason, and a finding. A deferred task is
    pending until its `scheduled_at`, if it has one.
    """
    if word is None and task.completed_at is None:
        status = None if STATUS in row.unread else absent
    else:
        status = status_of(word, own) if word is not None else None
    if status is TaskStatus.PENDING and offers and word and normalize_word(word) != offers:
        hold(task, word)
        row.changed(f"its status {word!r} is not {offers!r}; it is on hold for that reason")
        return
    if status is None:
        if task.completed_at is not None:
            task.status = TaskStatus.COMPLETED
            return
        reason = word or (UNREAD_STATUS if STATUS in row.unread else NO_STATUS)
        hold(task, reason)
        row.changed(f"its status {word!r} is unknown; it is on hold, for the reason {reason!r}")
    elif word is None or status is not HOLD:
        task.status = status
    elif normalize_word(word) != LATER or task.scheduled_at is None:
        # A blocked task may have its reason in its dependencies.
        if normalize_word(word) == BLOCKED:
            task.status = TaskStatus.BLOCKED
        else:
            hold(task, word)


def normalize_moments(
    row: Row, task: PlanTask, agent: str | None, updated_at: datetime | None
) -> None:
    """Make a task's moments fit its status, as the database demands it.

    A task in progress gets the lapsed claim of *agent*, and began at its latest change if
    nothing else is reported. Only a completed one keeps the time of its completion, which can't
    lie before its creation. Every change is recorded.
    """
    task.worker = agent
    task.changed_at = updated_at
    task.begun_at = task.started_at
    task.closed_at = task.closed_at or task.completed_at
    if task.status is TaskStatus.IN_PROGRESS:
        task.started_at = task.started_at or updated_at or task.created_at
        if agent and len(agent) > LONGEST_NAME:
            row.changed(
                f"its agent's name has {len(agent)} characters, {LONGEST_NAME} are allowed; "
                f"its claim is that of {UNKNOWN_AGENT!r}"
            )
            agent = None
        task.claim = LapsedClaim(agent or UNKNOWN_AGENT, task.started_at)
    if task.status is TaskStatus.COMPLETED:
        _normalize_completion(row, task)
    elif task.completed_at is not None:
        row.odd["completed_at"] = task.completed_at.isoformat()
        # A cancelled task was closed at some time, too.
        if is_open(task):
            row.changed(
                f"has a time of completion, {task.completed_at.isoformat()}, but is "
                f"{task.status}; the time is kept in metadata.source"
            )
        task.completed_at = None


def label_names(value: Any) -> tuple[str, ...]:
    """Return the labels in a list, or a text with commas, each once and in order.

    They are texts, or objects with a name. One of more than 200 characters is none; it stands in
    the metadata with the others.
    """
    named = [item.get("name") if is_dict(item) else item for item in _items(value)]
    texts = [name for name in named if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME]
    return tuple(dict.fromkeys(texts))


def take_labels(row: Row, task: PlanTask) -> dict[str, Any]:
    """Take the labels of a task, and return what its metadata says of them: all there are."""
    # Numbers are labels that were written without quotes.
    items = [str(item) if type(item) in (int, float) else item for item in _items(row.take(LABELS))]
    task.labels = label_names(items)
    others = [item for item in items if not label_names([item])]
    return {LABELS: [*task.labels, *others]} if items else {}


def split_text(text: str) -> list[str]:
    """Return the parts of a text between commas, semicolons and line ends."""
    return [part for each in SEPARATORS.split(text) if (part := each.strip())]


def whole_text(head: str | None, description: str | None) -> str | None:
    """Return a description with what would not fit into the title at its head."""
    return "\n\n".join(part for part in (head, description) if part) or None


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return split_text(value)
    return value if is_list(value) else [] if value is None else [value]


def _normalize_completion(row: Row, task: PlanTask) -> None:
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
