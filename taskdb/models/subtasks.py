"""Subtasks."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import SubtaskStatus


@dataclass(slots=True)
class Subtask(Model):
    """A line of a task's checklist."""

    id: UUID
    task_id: UUID
    position: int
    title: str
    description: str | None
    status: SubtaskStatus
    created_at: datetime
    updated_at: datetime
