"""History."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import TaskStatus


@dataclass(slots=True)
class HistoryEntry(Model):
    """One change of a task's status; `old_status` is None where the task was created.

    `seq` counts a task's entries from 1; it is None, and `source` names the tracker, in
    entries that were imported.
    """

    id: UUID
    task_id: UUID
    key: str
    seq: int | None
    old_status: TaskStatus | None
    new_status: TaskStatus
    agent: str
    note: str | None
    forced: bool
    source: str | None
    created_at: datetime
