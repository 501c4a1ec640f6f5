"""Epics."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import Level, PlanStatus


@dataclass(slots=True)
class Epic(Model):
    """One of the largest units of a plan."""

    id: UUID
    key: str
    title: str
    description: str | None
    status: PlanStatus
    priority: Level
    business_value: Level | None
    file_path: str | None
    metadata: dict[str, Any] | None
    created_by: str | None
    project_id: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class EpicProgress(Model):
    """Progress of an epic: the mean of its features, and the figure weighted by tasks."""

    epic_id: UUID
    key: str
    feature_count: int
    task_count: int
    completed_count: int
    progress_pct: Decimal
    weighted_progress_pct: Decimal
