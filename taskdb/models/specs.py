"""Technical specifications."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import PhaseStatus, SpecStatus, SpecType


@dataclass(slots=True)
class SpecSummary(Model):
    """A specification without its content. `phase_files` are the names of its phases."""

    id: UUID
    spec_number: int
    key: str
    title: str
    roadmap_item_id: str | None
    status: SpecStatus
    spec_type: SpecType
    file_path: str | None
    total_phases: int | None
    phase_files: list[str] | None
    phase: int | None
    current_phase_status: PhaseStatus | None
    estimated_hours: Decimal | None
    actual_hours: Decimal | None
    created_by: str
    updated_by: str
    started_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Spec(SpecSummary):
    """A specification, whole: `content` of a monolithic one, `structure` of a hierarchical."""

    content: str | None
    structure: dict[str, Any] | None


@dataclass(slots=True)
class Phase(Model):
    """One phase of a specification, without the others.

    Of a `verbatim` specification the content is a part of the document it was imported from.
    """

    spec_id: UUID
    spec_key: str
    number: int
    name: str
    description: str | None
    hours: Decimal | None
    content: str | None
    verbatim: bool


@dataclass(slots=True)
class PhaseName(Model):
    """A phase without its content."""

    spec_id: UUID
    number: int
    name: str
    hours: Decimal | None


@dataclass(slots=True)
class CreatedSpec(Model):
    """A specification that was made with its tasks, whose keys are in the order given."""

    id: UUID
    spec_number: int
    key: str
    task_keys: list[str]


@dataclass(slots=True)
class SpecMatch(Model):
    """A specification that has the words; a higher `rank` is a better match."""

    id: UUID
    key: str
    title: str
    status: SpecStatus
    rank: float


@dataclass(slots=True)
class SpecProgress(Model):
    """Progress of a specification: 100 x completed / counted, where cancelled tasks don't count.

    Hours three times: its own figure, the sum of its phases', and the sums of its tasks'.
    """

    spec_id: UUID
    key: str
    title: str
    status: SpecStatus
    total_phases: int | None
    task_count: int
    counted_count: int
    completed_count: int
    in_progress_count: int
    merged_count: int
    progress_pct: Decimal
    estimated_hours: Decimal | None
    phase_hours: Decimal | None
    task_estimated_hours: Decimal | None
    actual_hours: Decimal | None
    task_actual_hours: Decimal | None
