"""Features."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import PlanStatus


@dataclass(slots=True)
class Feature(Model):
    """A part of an epic. Its `progress_...` are what `update_progress` last found."""

    id: UUID
    epic_id: UUID
    key: str
    title: str
    description: str | None
    status: PlanStatus
    progress_pct: Decimal
    execution_order: int | None
    file_path: str | None
    metadata: dict[str, Any] | None
    created_by: str | None
    created_at: datetime
    updated_at: datetime
    progress_completed_count: int
    progress_counted_count: int


@dataclass(slots=True)
class FeatureProgress(Model):
    """Progress of a feature: 100 x completed / counted, where cancelled tasks don't count."""

    feature_id: UUID
    epic_id: UUID
    key: str
    task_count: int
    counted_count: int
    completed_count: int
    progress_pct: Decimal
