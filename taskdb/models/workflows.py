"""Workflows and their steps."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import ErrorPolicy, TriggerType, WorkflowStatus


@dataclass(slots=True)
class Workflow(Model):
    """A workflow. `sql/tables/workflows.sql` says what each column means."""

    id: UUID
    name: str
    description: str | None
    status: WorkflowStatus
    github_repo_url: str | None
    linear_issue_id: str | None
    trigger_type: TriggerType
    configuration: dict[str, Any] | None
    metadata: dict[str, Any] | None
    unhealthy_dependencies: int
    created_by: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True, kw_only=True)
class NewWorkflow:
    """A workflow to be made by `create`; only its name is needed."""

    name: str
    description: str | None = None
    github_repo_url: str | None = None
    linear_issue_id: str | None = None
    trigger_type: TriggerType = TriggerType.MANUAL
    configuration: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    created_by: str | None = None


@dataclass(slots=True)
class WorkflowStep(Model):
    """A step of a workflow; `needs` are the keys of the steps that it needs."""

    id: UUID
    workflow_id: UUID
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
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True, kw_only=True)
class NewStep:
    """A step to be made by `create` or `add_steps`; only its key and type are needed.

    `needs` are keys of steps of the same call, or of those that the workflow has. `position`
    None is its place in the call, counted from 1. `condition` is a jsonpath predicate over the
    execution's context, such as `$.branch == "main"`.
    """

    key: str
    step_type: str
    needs: list[str] = field(default_factory=list[str])
    position: int | None = None
    title: str | None = None
    configuration: dict[str, Any] | None = None
    condition: str | None = None
    on_error: ErrorPolicy = ErrorPolicy.STOP
    max_attempts: int = 1
    retry_delay: timedelta = timedelta(0)
    timeout: timedelta | None = None


@dataclass(slots=True)
class StepKey(Model):
    """A step's key and id."""

    key: str
    id: UUID


@dataclass(slots=True)
class WorkflowStatistics(Model):
    """Statistics of a workflow's executions; durations are those of completed ones.

    `success_pct` is 100 x completed / (completed + failed), None before the first such end.
    """

    workflow_id: UUID
    name: str
    execution_count: int
    running_count: int
    completed_count: int
    failed_count: int
    cancelled_count: int
    success_pct: Decimal | None
    average_duration: timedelta | None
    median_duration: timedelta | None
    p95_duration: timedelta | None
    last_started_at: datetime | None


@dataclass(slots=True)
class PerformanceMetrics(Model):
    """Statistics of a workflow's executions that were started in the last days.

    Durations are those of completed ones; tasks those that executions had at their ends.
    """

    workflow_id: UUID
    execution_count: int
    running_count: int
    completed_count: int
    failed_count: int
    cancelled_count: int
    success_pct: Decimal | None
    shortest_duration: timedelta | None
    average_duration: timedelta | None
    longest_duration: timedelta | None
    median_duration: timedelta | None
    p95_duration: timedelta | None
    p99_duration: timedelta | None
    total_tasks: int
    completed_tasks: int
    failed_tasks: int
