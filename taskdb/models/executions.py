"""Executions of workflows, and their steps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import (
    ErrorPolicy,
    ExecutionStatus,
    PullRequestState,
    StepStatus,
    TriggerType,
)


@dataclass(slots=True)
class Execution(Model):
    """An execution. `sql/tables/workflow_executions.sql` says what each column means."""

    id: UUID
    workflow_id: UUID
    status: ExecutionStatus
    trigger_type: TriggerType
    triggered_by: str | None
    configuration: dict[str, Any] | None
    context: dict[str, Any]
    branch: str | None
    commit_sha: str | None
    pull_request_number: int | None
    pull_request_state: PullRequestState | None
    total_tasks: int | None
    completed_tasks: int | None
    failed_tasks: int | None
    resource_usage: dict[str, Any] | None
    error_message: str | None
    started_at: datetime
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class ExecutionStep(Model):
    """A step of an execution: as it was in the workflow at the start, and what became of it.

    Who ends an attempt names its number, `attempt`.
    """

    execution_id: UUID
    key: str
    position: int
    title: str | None
    step_type: str
    configuration: dict[str, Any] | None
    condition: str | None
    on_error: ErrorPolicy
    max_attempts: int
    retry_delay: timedelta
    timeout: timedelta | None
    needs: list[str]
    status: StepStatus
    attempt: int
    output: dict[str, Any] | None
    error_message: str | None
    started_at: datetime | None
    deadline_at: datetime | None
    retry_at: datetime | None
    ended_at: datetime | None
