"""The plan, as files of other kinds have it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from taskdb.models.base import Model
from taskdb.models.types import DependencyType, TaskStatus


@dataclass(slots=True)
class OutgoingTask(Model):
    """A task with the keys of what it waits for."""

    key: str
    title: str
    description: str | None
    status: TaskStatus
    priority: int
    agent_type: str | None
    blocked_reason: str | None
    claim_agent: str | None
    parent: str | None
    labels: list[str]
    created_by: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    scheduled_at: datetime | None
    estimated_hours: Decimal | None
    has_requirements: bool
    has_context: bool
    has_feature: bool
    blocked_by: list[str]
    dependency_types: list[DependencyType]


@dataclass(slots=True)
class Beside(Model):
    """Numbers of the rows that only the whole workspace's file holds."""

    history: int
    checklist: int
    files: int
    specifications: int
