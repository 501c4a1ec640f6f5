"""Losses of an export: all that the file of another tracker does not hold of a task."""

from __future__ import annotations

from collections.abc import Iterator

from taskdb.exchange.beads import HOOKED
from taskdb.exchange.beads import KIND as BEADS
from taskdb.exchange.leaving import source_of
from taskdb.exchange.plan import SOURCE
from taskdb.exchange.shaping import LABELS, split_text
from taskdb.models.outgoing import OutgoingTask
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["lost_anywhere", "lost_from_row"]


def lost_anywhere(task: OutgoingTask) -> Iterator[str]:
    """Name what no other tracker's file holds of a task."""
    for name, is_there in {
        "context": task.has_context,
        "features of tasks": task.has_feature,
        "concurrency keys": task.has_concurrency_key,
        "back-off policies": task.has_back_off,
        "limits of attempts": task.has_max_attempts,
        "places in the order of execution": task.has_order,
        "complexity scores": task.has_complexity,
        "actual hours": task.has_actual_hours,
        "paths of files": task.has_file_path,
        "workflows of tasks": task.has_workflow,
    }.items():
        if is_there:
            yield name
    if task.agent_type:
        yield "agent types"
    if task.assigned_agent and source_of(task, BEADS).get("status") != HOOKED:
        yield "reservations for an agent"


def lost_from_row(task: OutgoingTask) -> Iterator[str]:
    """Name what a row of CSV, or a line of a board, can't hold of a task."""
    if task.requirements:
        yield "requirements"
    if (task.metadata or {}).keys() - {SOURCE, LABELS}:
        yield "metadata"
    yield from lost_anywhere(task)
    if task.estimated_hours is not None:
        yield "estimates"
    if task.blocked_reason:
        yield "reasons of holds"
    if task.status is TaskStatus.FAILED:
        yield "failed tasks, on hold when imported"
    for edge in task.edges:
        if edge.dependency_type is DependencyType.SUGGESTS:
            yield "suggestions"
        elif edge.dependency_type is not DependencyType.BLOCKS:
            yield f"{edge.dependency_type.value}, which become blocks"
    named = (*task.labels, *task.blocked_by, *filter(None, [task.parent]))
    if task.key != task.key.strip() or any(split_text(name) != [name] for name in named):
        yield "labels or keys that the file splits or trims"
