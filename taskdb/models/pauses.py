"""Pauses."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskdb.models.base import Model


@dataclass(slots=True)
class Pause(Model):
    """A part of the plan of which no task is handed out; without any scope, all of it."""

    id: UUID
    epic_id: UUID | None
    feature_id: UUID | None
    agent_type: str | None
    reason: str | None
    created_by: str | None
    created_at: datetime
