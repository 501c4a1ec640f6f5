"""Rows of a plan's page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import DependencyType, TaskStatus

__all__ = [
    "MeasuredDuration",
    "ReportedReason",
    "ReportedTask",
    "ReportedTransition",
    "ReportedWait",
]


@dataclass(slots=True)
class ReportedTask(Model):
    """A task with its life: when it came, was begun and was done; see `TaskFlow`.

    `excerpt` is the beginning of its description, at most 400 characters.
    """

    id: UUID
    key: str
    title: str
    status: TaskStatus
    effective_priority: int
    agent_type: str | None
    assigned_agent: str | None
    claim_agent: str | None
    lease_expires_at: datetime | None
    scheduled_at: datetime | None
    blocked_reason: str | None
    labels: list[str]
    excerpt: str | None
    parent_key: str | None
    feature_key: str | None
    is_ready: bool
    came_at: datetime
    started_at: datetime | None
    done_at: datetime | None
    done_by: str | None
    cycle_time: timedelta | None
    reopened_count: int
    skewed: bool
    completed_at: datetime | None


@dataclass(slots=True)
class ReportedWait(Model):
    """`key` waits for `blocker_key`; `is_dead`: in vain, as it failed or was given up."""

    key: str
    blocker_key: str
    blocker_title: str
    blocker_status: TaskStatus
    dependency_type: DependencyType
    is_satisfied: bool
    is_dead: bool


@dataclass(slots=True)
class ReportedReason(Model):
    """A reason why a task cannot be claimed; the reasons are those of `BlockingReason`."""

    key: str
    reason: str
    detail: str


@dataclass(slots=True)
class MeasuredDuration(Model):
    """Time between the first work on a task and its completion."""

    agent_type: str | None
    cycle_time: timedelta


@dataclass(slots=True)
class ReportedTransition(Model):
    """A change of a task's status; `old_status` is None where it was created."""

    key: str
    old_status: TaskStatus | None
    new_status: TaskStatus
    agent: str
    note: str | None
    created_at: datetime
