"""Nodes and edges of a plan's diagram."""

from dataclasses import dataclass

from taskdb.models.base import Model
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["DrawnEdge", "DrawnFeature", "DrawnFeatureEdge", "DrawnTask"]


@dataclass(slots=True)
class DrawnTask(Model):
    """A task in a diagram; `feature_key` is None for one of no feature."""

    key: str
    title: str
    status: TaskStatus
    feature_key: str | None


@dataclass(slots=True)
class DrawnEdge(Model):
    """`key` waits for `blocker_key`, which may lie outside the diagram's epic."""

    key: str
    blocker_key: str
    blocker_title: str
    blocker_status: TaskStatus
    dependency_type: DependencyType
    satisfied: bool


@dataclass(slots=True)
class DrawnFeature(Model):
    """A feature in a diagram; `counted_count` is of tasks that are not cancelled."""

    key: str
    title: str
    task_count: int
    counted_count: int
    completed_count: int


@dataclass(slots=True)
class DrawnFeatureEdge(Model):
    """Tasks of `key` wait for tasks of `blocker_key`; `open_count` of the edges still hold."""

    key: str
    blocker_key: str
    blocker_title: str
    edge_count: int
    open_count: int
