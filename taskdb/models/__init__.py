"""Rows as dataclasses: one module an area, named as in `taskdb.queries` and `sql/queries`."""

from taskdb.models.claims import Attempt, Claim, ClaimEnd
from taskdb.models.dependencies import Dependency, NewDependency, Obstacle, RelatedTask
from taskdb.models.epics import Epic, EpicProgress
from taskdb.models.executions import Execution, ExecutionStep
from taskdb.models.externals import ExternalDependency
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
    ErrorPolicy,
    ExecutionStatus,
    Health,
    Level,
    ObstacleReason,
    PlanStatus,
    PullRequestState,
    StepStatus,
    SubtaskStatus,
    TaskStatus,
    TriggerType,
    WorkflowStatus,
)
from taskdb.models.workflows import (
    NewStep,
    NewWorkflow,
    PerformanceMetrics,
    Workflow,
    WorkflowStatistics,
    WorkflowStep,
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
    "ErrorPolicy",
    "Execution",
    "ExecutionStatus",
    "ExecutionStep",
    "ExternalDependency",
    "Feature",
    "FeatureProgress",
    "Health",
    "HistoryEntry",
    "Level",
    "NewDependency",
    "NewStep",
    "NewTask",
    "NewWorkflow",
    "Obstacle",
    "ObstacleReason",
    "PerformanceMetrics",
    "PlanStatus",
    "PullRequestState",
    "ReadyTask",
    "RelatedTask",
    "StatusCount",
    "StepStatus",
    "Subtask",
    "SubtaskStatus",
    "Task",
    "TaskFile",
    "TaskFileInfo",
    "TaskKey",
    "TaskStatus",
    "TaskSummary",
    "TriggerType",
    "Workflow",
    "WorkflowStatistics",
    "WorkflowStatus",
    "WorkflowStep",
]
