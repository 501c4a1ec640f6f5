"""Dependencies, and what stands in a task's way."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import DependencyType, ReasonCode, TaskStatus


@dataclass(slots=True)
class Dependency(Model):
    """An edge: the task waits for the other."""

    task_id: UUID
    depends_on_id: UUID
    dependency_type: DependencyType
    created_by: str | None
    created_at: datetime


@dataclass(slots=True)
class RelatedTask(Model):
    """The task at the other end of an edge: `key`, `title` and `status` are its own."""

    task_id: UUID
    depends_on_id: UUID
    key: str
    title: str
    status: TaskStatus
    dependency_type: DependencyType
    satisfied: bool


@dataclass(slots=True)
class StuckTask(Model):
    """A task that can never start: `dead_blockers`, keys, are done for or stuck themselves."""

    id: UUID
    key: str
    title: str
    effective_priority: int
    dead_blockers: list[str]


@dataclass(slots=True)
class LinkedTask(Model):
    """A task at the other end of a path of edges."""

    id: UUID
    key: str
    title: str
    status: TaskStatus


@dataclass(slots=True)
class BlockingReason(Model):
    """Reason that blocks the claim of a task; `dead` if it will not go away by itself."""

    task_id: UUID
    reason: ReasonCode
    blocker_id: UUID | None
    blocker_key: str | None
    dead: bool
    detail: str


@dataclass(slots=True)
class NewDependency:
    """An edge to be made, its ends by key."""

    task: str
    depends_on: str
    dependency_type: DependencyType = DependencyType.REQUIRES
    created_by: str | None = None
