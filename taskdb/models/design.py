"""Output of the Design Agent: jobs, documents, decisions, progress."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import DesignJobStatus, DesignOutputType


@dataclass(slots=True)
class DesignJob(Model):
    """A design job. `sql/tables/design_jobs.sql` says what each column means."""

    id: UUID
    project_id: UUID
    status: DesignJobStatus
    error_message: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


@dataclass(slots=True)
class DesignOutput(Model):
    """One document of a design job."""

    id: UUID
    design_job_id: UUID
    output_type: DesignOutputType
    content: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class FoundOutputs(Model):
    """Existing documents of a design job; `load_outputs` refuses an incomplete set."""

    design_job_id: UUID
    prd: str | None
    design_system: str | None
    ux_flow: str | None
    screen_specs: str | None
    ai_studio_code_path: str | None


@dataclass(slots=True)
class DesignOutputs(Model):
    """All documents of a design job that a tech-spec session needs."""

    design_job_id: UUID
    prd: str
    design_system: str
    ux_flow: str
    screen_specs: str
    ai_studio_code_path: str | None


@dataclass(slots=True)
class DesignDecision(Model):
    """Something decided in a design job, and why."""

    id: UUID
    design_job_id: UUID
    decision_type: str
    value: str
    reasoning: str | None
    created_at: datetime


@dataclass(slots=True)
class DesignProgress(Model):
    """Progress of a design job at a moment."""

    id: UUID
    design_job_id: UUID
    stage: str
    progress_percentage: Decimal
    message: str | None
    created_at: datetime
