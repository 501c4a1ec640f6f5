"""Kinds of events that a stream yields."""

from __future__ import annotations

from typing import Final, TypeAlias

from taskdb.models.events import EndedExecution, TaskEvent
from taskdb.models.types import TaskStatus

__all__ = [
    "OF_STATUS",
    "Event",
    "TaskClaimed",
    "TaskCompleted",
    "TaskFailed",
    "TaskReady",
    "WorkflowFinished",
]


class TaskReady(TaskEvent):
    """A task became ready: it was created, unblocked, released, requeued."""

    __slots__ = ()


class TaskClaimed(TaskEvent):
    """A task was claimed by `agent`."""

    __slots__ = ()


class TaskCompleted(TaskEvent):
    """A task was completed."""

    __slots__ = ()


class TaskFailed(TaskEvent):
    """A task failed for good; `note` is its error."""

    __slots__ = ()


class WorkflowFinished(EndedExecution):
    """An execution of a workflow completed, failed or was cancelled: see `status`."""

    __slots__ = ()


Event: TypeAlias = TaskReady | TaskClaimed | TaskCompleted | TaskFailed | WorkflowFinished
OF_STATUS: Final[dict[TaskStatus, type[TaskReady | TaskClaimed | TaskCompleted | TaskFailed]]] = {
    TaskStatus.PENDING: TaskReady,
    TaskStatus.IN_PROGRESS: TaskClaimed,
    TaskStatus.COMPLETED: TaskCompleted,
    TaskStatus.FAILED: TaskFailed,
}
