"""Claims."""

from dataclasses import dataclass, fields
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
    """Task's status after its holder completed, submitted, failed or released it."""

    id: UUID
    key: str
    status: TaskStatus
    completed_at: datetime | None


@dataclass(slots=True)
class EndedClaim(Model):
    """Result for one pair of a call that ends many claims.

    `was_held` is false, and nothing changed, if the claim was no longer live.
    """

    task_id: UUID
    token: int
    was_held: bool
    status: TaskStatus | None
    completed_at: datetime | None


@dataclass(slots=True)
class RenewedClaim(Model):
    """Result for one pair of `heartbeat_many`; a claim that was lost has no lease."""

    task_id: UUID
    token: int
    was_held: bool
    lease_expires_at: datetime | None


@dataclass(slots=True)
class CompletedAndClaimed(Model):
    """A completed task, and the next claim in the fields that begin with `next_`.

    `claim` has them as a `Claim`, or None if nothing could be claimed; `end` the others.
    """

    id: UUID
    key: str
    status: TaskStatus
    completed_at: datetime | None
    next_task_id: UUID | None
    next_token: int | None
    next_agent: str | None
    next_claimed_at: datetime | None
    next_lease_expires_at: datetime | None
    next_key: str | None
    next_title: str | None
    next_description: str | None
    next_priority: int | None
    next_effective_priority: int | None
    next_agent_type: str | None
    next_feature_id: UUID | None
    next_parent_id: UUID | None
    next_estimated_hours: Decimal | None
    next_requirements: dict[str, Any] | None
    next_context: dict[str, Any] | None
    next_metadata: dict[str, Any] | None
    next_file_path: str | None
    next_failed_attempts: int | None

    @property
    def end(self) -> ClaimEnd:
        """The completed task's key, status and time of completion."""
        return ClaimEnd(self.id, self.key, self.status, self.completed_at)

    @property
    def claim(self) -> Claim | None:
        """The next claim, or None if nothing could be claimed."""
        if self.next_task_id is None:
            return None
        return Claim(**{field.name: getattr(self, f"next_{field.name}") for field in fields(Claim)})


@dataclass(slots=True)
class Attempt(Model):
    """One attempt of one agent at one task; `outcome` is None while it is live.

    An attempt that has ended has no lease; its progress is that of the last heartbeat.
    """

    task_id: UUID
    key: str
    token: int
    agent: str
    claimed_at: datetime
    lease_expires_at: datetime | None
    outcome: ClaimOutcome | None
    ended_at: datetime | None
    note: str | None
    progress_pct: int | None
    progress_note: str | None
