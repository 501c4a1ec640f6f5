"""Rows as dataclasses: one module an area, named as in `taskdb.queries` and `sql/queries`."""

from taskdb.models.claims import Attempt, Claim, ClaimEnd
from taskdb.models.dependencies import Dependency, NewDependency, Obstacle, RelatedTask
from taskdb.models.epics import Epic, EpicProgress
from taskdb.models.executions import Execution, ExecutionStep
from taskdb.models.externals import ExternalDependency
from taskdb.models.features import Feature, FeatureProgress
from taskdb.models.files import TaskFile, TaskFileInfo
from taskdb.models.history import HistoryEntry
from taskdb.models.implementation_tasks import (
    CreatedTask,
    ImplementationTask,
    NewImplementationTask,
)
from taskdb.models.modifications import Modification
from taskdb.models.projects import Project, ProjectEnvironment, ProjectFile, ProjectSummary
from taskdb.models.specs import Phase, PhaseName, Spec, SpecMatch, SpecProgress, SpecSummary
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
from taskdb.models.templates import Template, TemplateSummary
from taskdb.models.types import (
    ClaimOutcome,
    Complexity,
    DependencyType,
    ErrorPolicy,
    ExecutionStatus,
    Health,
    Level,
    ModificationStatus,
    ObstacleReason,
    PhaseStatus,
    PlanStatus,
    ProjectStatus,
    PullRequestState,
    SpecStatus,
    SpecType,
    StepStatus,
    SubtaskStatus,
    TaskStatus,
    TemplateCategory,
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
    "Complexity",
    "CreatedMany",
    "CreatedTask",
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
    "ImplementationTask",
    "Level",
    "Modification",
    "ModificationStatus",
    "NewDependency",
    "NewImplementationTask",
    "NewStep",
    "NewTask",
    "NewWorkflow",
    "Obstacle",
    "ObstacleReason",
    "PerformanceMetrics",
    "Phase",
    "PhaseName",
    "PhaseStatus",
    "PlanStatus",
    "Project",
    "ProjectEnvironment",
    "ProjectFile",
    "ProjectStatus",
    "ProjectSummary",
    "PullRequestState",
    "ReadyTask",
    "RelatedTask",
    "Spec",
    "SpecMatch",
    "SpecProgress",
    "SpecStatus",
    "SpecSummary",
    "SpecType",
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
    "Template",
    "TemplateCategory",
    "TemplateSummary",
    "TriggerType",
    "Workflow",
    "WorkflowStatistics",
    "WorkflowStatus",
    "WorkflowStep",
]
