"""Arrangement of a load: the order of its tasks, and what its edges make of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["Arrangement", "arrange"]

# They satisfy no dependency, whatever its type.
_OPEN = (TaskStatus.PENDING, TaskStatus.BLOCKED, TaskStatus.IN_PROGRESS)
_ABANDONED = (TaskStatus.CANCELLED, TaskStatus.ARCHIVED)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The places of new tasks in an order, and for each place the columns that follow from edges.

    The columns save the server a second write of the task; it verifies them. They stay at 0 and
    false for a task that waits for one that is not new or has ended: the server knows better.
    """

    order: Sequence[int]
    open_dependencies: Sequence[int]
    has_dependents: Sequence[bool]
    effective_priority: Sequence[int]


def arrange(tasks: Sequence[NewTask], edges: Sequence[NewDependency]) -> Arrangement:
    """Order new tasks so that each comes after those it waits for, if it can.

    The server ranks tasks in the order in which they come, so edges between them then fit at
    once, and nothing has to be moved. Where they form a cycle the server will find it.
    """
    places = {task.key: place for place, task in enumerate(tasks)}
    is_open = [task.status in _OPEN for task in tasks]
    waiting = [0] * len(tasks)
    is_known = [True] * len(tasks)
    dependents: list[list[int]] = [[] for _ in tasks]
    for edge in edges:
        task, blocker = places.get(edge.task), places.get(edge.depends_on)
        if task is None or edge.dependency_type == DependencyType.SUGGESTS:
            continue
        if blocker is None or not is_open[blocker]:
            is_known[task] = False
        if blocker is not None:
            waiting[task] += 1
            dependents[blocker].append(task)

    order = _in_order(waiting, dependents)
    return Arrangement(
        order,
        [count if known else 0 for count, known in zip(waiting, is_known, strict=True)],
        [known and bool(found) for found, known in zip(dependents, is_known, strict=True)],
        _inherited(tasks, order, dependents),
    )


def _in_order(waiting: Sequence[int], dependents: Sequence[Sequence[int]]) -> list[int]:
    """Return the places so that each comes after those it waits for, those of a cycle last."""
    left = list(waiting)
    order = [place for place, count in enumerate(left) if count == 0]
    for place in order:
        for dependent in dependents[place]:
            left[dependent] -= 1
            if left[dependent] == 0:
                order.append(dependent)
    order += compress(range(len(left)), left)
    return order


def _inherited(
    tasks: Sequence[NewTask], order: Sequence[int], dependents: Sequence[Sequence[int]]
) -> list[int]:
    """Return each task's own priority, or the more urgent one of a task that waits for it.

    A priority that is no number is left for the copy to refuse.
    """
    priorities = [task.priority if type(task.priority) is int else 1 for task in tasks]
    passes_on = [task.status not in _ABANDONED for task in tasks]
    for place in reversed(order):
        for dependent in dependents[place]:
            if passes_on[dependent] and priorities[dependent] < priorities[place]:
                priorities[place] = priorities[dependent]
    return priorities
