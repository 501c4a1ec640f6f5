"""The plan, as files of other kinds have it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from taskdb.models.base import Model
from taskdb.models.types import DependencyType, TaskStatus


@dataclass(slots=True)
class OutgoingEdge(Model):
    """Dependency of a task, by its key."""

    blocker: str
    dependency_type: DependencyType
    created_by: str | None
    created_at: datetime


@dataclass(slots=True)
class OutgoingTask(Model):
    """A task with what it waits for.

    `imported_status` is the status and the reason of its hold that its file last had, and
    `imported_scheduled_at` the schedule as ISO 8601; None of a task that was not imported.
    The fields `has_...` say what it has that no other tracker's file holds.
    """

    key: str
    title: str
    description: str | None
    status: TaskStatus
    priority: int
    agent_type: str | None
    blocked_reason: str | None
    claim_agent: str | None
    assigned_agent: str | None
    parent: str | None
    labels: list[str]
    created_by: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    scheduled_at: datetime | None
    estimated_hours: Decimal | None
    requirements: dict[str, Any] | None
    metadata: dict[str, Any] | None
    imported_status: list[str | None] | None
    imported_scheduled_at: str | None
    has_context: bool
    has_feature: bool
    has_concurrency_key: bool
    has_back_off: bool
    has_max_attempts: bool
    has_order: bool
    has_complexity: bool
    has_actual_hours: bool
    has_file_path: bool
    has_workflow: bool
    edges: list[OutgoingEdge]

    @property
    def blocked_by(self) -> list[str]:
        """The keys of the tasks that it waits for; suggestions hold nothing back."""
        return [
            edge.blocker
            for edge in self.edges
            if edge.dependency_type is not DependencyType.SUGGESTS
        ]


@dataclass(slots=True)
class Beside(Model):
    """Numbers of the rows that only the whole workspace's file holds."""

    history: int
    checklist: int
    files: int
    specifications: int
    external_dependencies: int
