"""Tech-spec sessions, and how they went."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import DesignJobStatus, SessionStatus


@dataclass(slots=True)
class TechSpecSession(Model):
    """A session. `sql/tables/tech_spec_sessions.sql` says what each column means."""

    id: UUID
    project_id: UUID
    design_job_id: UUID
    user_id: UUID | None
    status: SessionStatus
    current_stage: str | None
    progress_percentage: Decimal
    session_data: dict[str, Any] | None
    websocket_url: str | None
    failure_reason: str | None
    newest_version: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


@dataclass(slots=True)
class SessionWithJob(Model):
    """A session with the design job that it began with."""

    id: UUID
    project_id: UUID
    user_id: UUID | None
    status: SessionStatus
    current_stage: str | None
    progress_percentage: Decimal
    created_at: datetime
    design_job_id: UUID
    design_project_id: UUID
    design_status: DesignJobStatus
    design_completed_at: datetime | None


@dataclass(slots=True)
class SessionFigures(Model):
    """Costs and results of a session.

    `duration` is from its creation to its completion, pauses included; `quality_score` is that of
    its newest document. Both are None where there is none.
    """

    id: UUID
    project_id: UUID
    status: SessionStatus
    created_at: datetime
    duration: timedelta | None
    error_count: int
    recovered_count: int
    retry_count: int
    newest_version: int
    quality_score: Decimal | None


@dataclass(slots=True)
class SessionStatistics(Model):
    """Statistics of the sessions of one status. `sessions_with_errors_pct` is of 100."""

    status: SessionStatus
    session_count: int
    average_duration: timedelta | None
    error_count: int
    recovered_count: int
    sessions_with_errors_pct: Decimal
    average_quality: Decimal | None


@dataclass(slots=True)
class SessionSummary(Model):
    """Summary of a period's sessions; a figure that nothing contributes to is None."""

    session_count: int
    completed_count: int
    failed_count: int
    average_duration: timedelta | None
    median_duration: timedelta | None
    p95_duration: timedelta | None
    error_count: int
    recovered_count: int
    sessions_with_errors_pct: Decimal | None
    average_quality: Decimal | None
