"""Tasks."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import TaskStatus


@dataclass(slots=True)
class Task(Model):
    """A task, whole: `sql/tables/tasks.sql` and `task_details.sql` say what each column means.

    `version` grows with every edit, and stays as it is when only the status changes.
    """

    id: UUID
    key: str
    feature_id: UUID | None
    workflow_id: UUID | None
    workflow_execution_id: UUID | None
    parent_id: UUID | None
    title: str
    description: str | None
    status: TaskStatus
    priority: int
    effective_priority: int
    agent_type: str | None
    assigned_agent: str | None
    complexity_score: int | None
    estimated_hours: Decimal | None
    actual_hours: Decimal | None
    execution_order: int | None
    requirements: dict[str, Any] | None
    context: dict[str, Any] | None
    metadata: dict[str, Any] | None
    labels: list[str]
    file_path: str | None
    blocked_reason: str | None
    error_message: str | None
    scheduled_at: datetime | None
    max_attempts: int
    failed_attempts: int
    retry_delay: timedelta | None
    retry_factor: Decimal | None
    max_retry_delay: timedelta | None
    concurrency_key: str | None
    open_dependencies: int
    created_by: str | None
    started_at: datetime | None
    blocked_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(slots=True)
class TaskSummary(Model):
    """A task in a list: without its texts and objects."""

    id: UUID
    key: str
    feature_id: UUID | None
    workflow_id: UUID | None
    workflow_execution_id: UUID | None
    title: str
    status: TaskStatus
    priority: int
    effective_priority: int
    agent_type: str | None
    assigned_agent: str | None
    parent_id: UUID | None
    scheduled_at: datetime | None
    open_dependencies: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


@dataclass(slots=True)
class ReadyTask(Model):
    """A task that may be claimed now."""

    id: UUID
    key: str
    title: str
    status: TaskStatus
    effective_priority: int
    agent_type: str | None
    assigned_agent: str | None
    feature_id: UUID | None


@dataclass(slots=True)
class BlockedTask(Model):
    """A task that is blocked; `open_blockers` are the keys of its open dependencies."""

    id: UUID
    key: str
    title: str
    effective_priority: int
    blocked_reason: str | None
    blocked_at: datetime
    open_dependencies: int
    open_blockers: list[str]


@dataclass(slots=True)
class TaskNode(Model):
    """A task in a tree: `depth` below its root, and the keys on the way down to it."""

    id: UUID
    key: str
    title: str
    status: TaskStatus
    parent_id: UUID | None
    depth: int
    path: list[str]


@dataclass(slots=True)
class SimilarTask(Model):
    """A task whose title looks like another; `similarity` is 0 to 1."""

    id: UUID
    key: str
    title: str
    status: TaskStatus
    similarity: float


@dataclass(slots=True)
class OrderedTask(Model):
    """An open task in a topological order."""

    id: UUID
    key: str
    title: str
    status: TaskStatus
    effective_priority: int
    open_dependencies: int


@dataclass(slots=True)
class StatusCount(Model):
    """Number of tasks of a status."""

    status: TaskStatus
    task_count: int


@dataclass(slots=True)
class FailedTask(Model):
    """Failed work, with the error of its last attempt."""

    id: UUID
    key: str
    title: str
    error_message: str | None
    failed_attempts: int
    max_attempts: int
    updated_at: datetime


@dataclass(slots=True)
class TaskKey(Model):
    """A task's key and id."""

    key: str
    id: UUID


@dataclass(slots=True, kw_only=True)
class NewTask:
    """A task to be made by `create_many`; only the title is needed.

    `parent` is the key of a task of the same call, or of one that exists. A moment that is
    None is the server's: now for `created_at`, and for the others as the status asks. With
    `claim_agent` a task in progress is under that agent's claim, whose lease is over.
    """

    title: str
    key: str | None = None
    description: str | None = None
    status: TaskStatus = TaskStatus.PENDING
    priority: int = 5
    agent_type: str | None = None
    assigned_agent: str | None = None
    complexity_score: int | None = None
    estimated_hours: Decimal | None = None
    actual_hours: Decimal | None = None
    execution_order: int | None = None
    requirements: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    labels: list[str] = field(default_factory=list[str])
    file_path: str | None = None
    blocked_reason: str | None = None
    error_message: str | None = None
    scheduled_at: datetime | None = None
    max_attempts: int = 10
    retry_delay: timedelta | None = None
    retry_factor: Decimal | None = None
    max_retry_delay: timedelta | None = None
    concurrency_key: str | None = None
    feature_id: UUID | None = None
    workflow_id: UUID | None = None
    workflow_execution_id: UUID | None = None
    parent: str | None = None
    created_by: str | None = None
    claim_agent: str | None = None
    started_at: datetime | None = None
    blocked_at: datetime | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(slots=True)
class CreatedMany:
    """Result of `create_many`: the new tasks' ids in the order given, and two counts."""

    ids: list[UUID]
    task_count: int
    dependency_count: int
