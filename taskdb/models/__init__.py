"""Rows as dataclasses: one module an area, named as in `taskdb.queries` and `sql/queries`."""

from taskdb.models.claims import Attempt, Claim, ClaimEnd
from taskdb.models.dependencies import Dependency, NewDependency, Obstacle, RelatedTask
from taskdb.models.epics import Epic, EpicProgress
from taskdb.models.features import Feature, FeatureProgress
from taskdb.models.files import TaskFile, TaskFileInfo
from taskdb.models.history import HistoryEntry
from taskdb.models.subtasks import Subtask
from taskdb.models.tasks import (
    BlockedTask,
    CreatedMany,
    NewTask,
    ReadyTask,
    StatusCount,
    Task,
    TaskKey,
    TaskSummary,
)
from taskdb.models.types import (
    ClaimOutcome,
    DependencyType,
    Level,
    ObstacleReason,
    PlanStatus,
    SubtaskStatus,
    TaskStatus,
)

__all__ = [
    "Attempt",
    "BlockedTask",
    "Claim",
    "ClaimEnd",
    "ClaimOutcome",
    "CreatedMany",
    "Dependency",
    "DependencyType",
    "Epic",
    "EpicProgress",
    "Feature",
    "FeatureProgress",
    "HistoryEntry",
    "Level",
    "NewDependency",
    "NewTask",
    "Obstacle",
    "ObstacleReason",
    "PlanStatus",
    "ReadyTask",
    "RelatedTask",
    "StatusCount",
    "Subtask",
    "SubtaskStatus",
    "Task",
    "TaskFile",
    "TaskFileInfo",
    "TaskKey",
    "TaskStatus",
    "TaskSummary",
]
