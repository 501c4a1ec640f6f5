"""Events, and the rows they are made of."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import ExecutionStatus, TaskStatus


@dataclass(slots=True)
class HistoryPosition(Model):
    """Server's position: its clock, and the numbers of its transactions."""

    moment: datetime
    oldest_transaction: int
    next_transaction: int


@dataclass(slots=True)
class TaskEvent(Model):
    """A task became ready, was claimed, completed, or failed, as history has it.

    `agent` did it; ``taskdb``, where it followed from another task, whose key `note` has then.
    """

    created_at: datetime
    task_id: UUID
    seq: int
    key: str
    agent_type: str | None
    status: TaskStatus
    token: int | None
    agent: str
    note: str | None


@dataclass(slots=True)
class EndedExecution(Model):
    """An execution of a workflow that ended."""

    id: UUID
    workflow_id: UUID
    workflow: str
    status: ExecutionStatus
    ended_at: datetime
    error_message: str | None
