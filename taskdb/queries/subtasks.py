"""Subtasks: `sql/queries/subtasks.sql`."""

from uuid import UUID

from taskdb.models.subtasks import Subtask
from taskdb.models.types import SubtaskStatus
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Key, Title


@query
def append(*, task: Key, title: Title, description: AnyText | None = None) -> Subtask:
    """Add a line at the end of a task's checklist.

    Raises `NotFoundError` if there is no such task.
    """
    ...


@query
def list_subtasks(*, task: Key) -> list[Subtask]:
    """Return a task's checklist, in order."""
    ...


@query
def check_off(id: UUID, *, status: SubtaskStatus = SubtaskStatus.COMPLETED) -> Subtask:
    """Mark a line as done, or as *status* says; raise `NotFoundError` if there is none."""
    ...


@query
def reorder(*, task: Key, ids: list[UUID]) -> int:
    """Put the lines of a task into the order of *ids*; return the number that moved.

    Lines that the list leaves out stay behind it in their old order.
    """
    ...


@query
def delete(id: UUID) -> UUID:
    """Remove a line; raise `NotFoundError` if there is none."""
    ...
