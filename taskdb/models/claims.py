"""Claims."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import ClaimOutcome, TaskStatus


@dataclass(slots=True)
class Claim(Model):
    """A live claim, with what its holder needs to know of the task.

    `task_id` and `token` are what every later call of the holder names.
    """

    task_id: UUID
    token: int
    agent: str
    claimed_at: datetime
    lease_expires_at: datetime
    key: str
    title: str
    description: str | None
    priority: int
    effective_priority: int
    agent_type: str | None
    feature_id: UUID | None
    parent_id: UUID | None
    estimated_hours: Decimal | None
    requirements: dict[str, Any] | None
    context: dict[str, Any] | None
    metadata: dict[str, Any] | None
    file_path: str | None
    failed_attempts: int


@dataclass(slots=True)
class ClaimEnd(Model):
    """Where a task stands after its holder completed, submitted, failed or released it."""

    id: UUID
    key: str
    status: TaskStatus
    completed_at: datetime | None


@dataclass(slots=True)
class Attempt(Model):
    """One attempt of one agent at one task; `outcome` is None while it is live."""

    id: UUID
    task_id: UUID
    key: str
    token: int
    agent: str
    claimed_at: datetime
    lease_expires_at: datetime
    outcome: ClaimOutcome | None
    ended_at: datetime | None
    note: str | None
