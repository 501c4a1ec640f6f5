"""A task in a list that people chose."""

from dataclasses import dataclass
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import TaskStatus

__all__ = ["ListedTask"]


@dataclass(slots=True)
class ListedTask(Model):
    """A task in a list; `blocked_reason` is why it is on hold, if it is."""

    id: UUID
    key: str
    title: str
    status: TaskStatus
    effective_priority: int
    agent_type: str | None
    parent_key: str | None
    feature_key: str | None
    blocked_reason: str | None
