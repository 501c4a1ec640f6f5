"""Modifications of projects."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import ModificationStatus


@dataclass(slots=True)
class Modification(Model):
    """A change to a project; it is applied to the version `base_version` only."""

    id: UUID
    project_id: UUID
    request: str
    requested_by: str
    requested_at: datetime
    impact_analysis: dict[str, Any] | None
    affected_files: list[str]
    status: ModificationStatus
    base_version: int
    approved_at: datetime | None
    applied_at: datetime | None
    ended_at: datetime | None
    modified_files: dict[str, str | None] | None
    test_results: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
