"""Selection of the tasks of a list or a diagram: `sql/queries/selection.sql`."""

from typing import Annotated
from uuid import UUID

from taskdb.models.selection import ListedTask
from taskdb.models.tasks import ReadyTask
from taskdb.models.types import TaskStatus
from taskdb.queries import query
from taskdb.queries.fields import Key, Limit, Name
from taskdb.query import Range

__all__ = ["around", "chosen", "list_among", "ready_among", "under"]

# Farther away nearly all is near.
Steps = Annotated[int, Range(0, 100)]


@query
def chosen(
    *,
    statuses: list[TaskStatus] | None = None,
    within: list[UUID] | None = None,
    epic: Key | None = None,
    feature: Key | None = None,
    workflow_id: UUID | None = None,
    agent_type: Name | None = None,
    label: Name | None = None,
) -> list[UUID]:
    """Return the tasks that match all the given filters, in no order.

    Those of an epic, a feature, a workflow, an agent type, with a label, in one of *statuses*
    and among those *within*.
    """
    ...


@query
def under(*, key: Key) -> list[UUID]:
    """Return the tasks under a task, however deep, in no order.

    Empty if there are none, or no such task.
    """
    ...


@query
def around(*, key: Key, steps: Steps = 2) -> list[UUID]:
    """Return a task and those that *steps* lead to: edges either way, its parent, its children.

    Empty if there is no such task.
    """
    ...


@query
def ready_among(
    *,
    task_ids: list[UUID],
    agent: Name | None = None,
    agent_type: Name | None = None,
    limit: Limit = 50,
) -> list[ReadyTask]:
    """Return the tasks among these that can be claimed now, as `tasks.list_ready` does for all."""
    ...


@query
def list_among(*, task_ids: list[UUID], limit: Limit = 50) -> list[ListedTask]:
    """Return these tasks, each after its blockers."""
    ...
