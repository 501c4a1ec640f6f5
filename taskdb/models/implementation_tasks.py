"""Implementation tasks: parts of specifications, as tasks."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import TaskStatus


@dataclass(slots=True)
class ImplementationTask(Model):
    """A task with its part of a specification; `claimed_by` is None unless a claim is live."""

    task_id: UUID
    key: str
    spec_id: UUID
    spec_key: str
    title: str
    status: TaskStatus
    effective_priority: int
    execution_order: int | None
    scope: str
    scope_description: str | None
    assigned_files: list[str]
    branch_name: str
    worktree_path: str | None
    claimed_by: str | None
    claimed_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    commit_sha: str | None
    merged_at: datetime | None
    merge_commit_sha: str | None
    created_by: str
    created_at: datetime


@dataclass(slots=True)
class CreatedTask(Model):
    """An implementation task that was just made or changed."""

    task_id: UUID
    key: str
    spec_id: UUID
    scope: str
    branch_name: str


@dataclass(slots=True, kw_only=True)
class NewImplementationTask(Model):
    """A task to make with its specification; of a hierarchical one *scope* names a phase.

    Without a key it is `TASK-`, the specification's number, and its place in the list; its
    branch is `roadmap-implementation_task-` and its key.
    """

    scope: str
    key: str | None = None
    title: str | None = None
    scope_description: str | None = None
    assigned_files: list[str] = field(default_factory=list[str])
    branch_name: str | None = None
    worktree_path: str | None = None
    priority: int = 5
    agent_type: str | None = None
    estimated_hours: Decimal | None = None
