"""Rows that an importer reads before it writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from taskdb.models.types import TaskStatus

__all__ = [
    "Edge",
    "ImportedBefore",
    "KnownFile",
    "KnownRow",
    "KnownSpec",
    "KnownTask",
    "LiveClaim",
    "ReportedUntil",
]


@dataclass(slots=True)
class KnownRow:
    """An epic or a feature that exists; the import that made it, if one did."""

    key: str
    id: UUID
    source_kind: str | None
    source_file: str | None


@dataclass(slots=True)
class KnownTask:
    """A task that exists, the import that made it, if one did, and where it stands."""

    key: str
    id: UUID
    source_kind: str | None
    source_file: str | None
    status: TaskStatus
    completed_at: datetime | None
    # Its metadata has what the file says of itself.
    has_about: bool


@dataclass(slots=True)
class KnownSpec:
    """A specification that was imported from a file."""

    file_path: str
    key: str


@dataclass(slots=True)
class KnownFile:
    """A file that a task has."""

    task_id: UUID
    path: str


@dataclass(slots=True)
class Edge:
    """A dependency: the task waits for the other."""

    task_id: UUID
    depends_on_id: UUID


@dataclass(slots=True)
class ImportedBefore:
    """Values of a task in its file when it was last imported."""

    key: str
    task_id: UUID
    content: dict[str, Any]


@dataclass(slots=True)
class ReportedUntil:
    """The time of the latest transition of a task that its tracker reported."""

    task_id: UUID
    reported_at: datetime


@dataclass(slots=True)
class LiveClaim:
    """An agent is at work on a task until its lease expires."""

    task_id: UUID
    agent: str
    lease_expires_at: datetime
