"""Rows as dataclasses: one module an area, named as in `taskdb.queries` and `sql/queries`."""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskdb.models.agent_errors import AgentError, NodeRecovery, RecoveryRate
    from taskdb.models.briefs import Brief
    from taskdb.models.claims import (
        Attempt,
        Claim,
        ClaimEnd,
        CompletedAndClaimed,
        EndedClaim,
        RenewedClaim,
    )
    from taskdb.models.conversations import TechMessage
    from taskdb.models.dependencies import BlockingReason, Dependency, NewDependency, RelatedTask
    from taskdb.models.design import (
        DesignDecision,
        DesignJob,
        DesignOutput,
        DesignOutputs,
        DesignProgress,
    )
    from taskdb.models.documents import TrdDocument, TrdDocumentInfo
    from taskdb.models.epics import Epic, EpicProgress
    from taskdb.models.events import EndedExecution, HistoryPosition, TaskEvent
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
    from taskdb.models.pauses import Pause
    from taskdb.models.projects import Project, ProjectEnvironment, ProjectFile, ProjectSummary
    from taskdb.models.research import TechResearch
    from taskdb.models.sessions import (
        SessionFigures,
        SessionStatistics,
        SessionSummary,
        SessionWithJob,
        TechSpecSession,
    )
    from taskdb.models.specs import Phase, PhaseName, Spec, SpecMatch, SpecProgress, SpecSummary
    from taskdb.models.subtasks import Subtask
    from taskdb.models.tasks import (
        BlockedTask,
        CreatedMany,
        FailedTask,
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
        ConversationRole,
        DependencyType,
        DesignJobStatus,
        DesignOutputType,
        ErrorPolicy,
        ExecutionStatus,
        Health,
        Level,
        ModificationStatus,
        PhaseStatus,
        PlanStatus,
        ProjectStatus,
        PullRequestState,
        ReasonCode,
        SessionStatus,
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
    "AgentError",
    "Attempt",
    "BlockedTask",
    "BlockingReason",
    "Brief",
    "Claim",
    "ClaimEnd",
    "ClaimOutcome",
    "CompletedAndClaimed",
    "Complexity",
    "ConversationRole",
    "CreatedMany",
    "CreatedTask",
    "Dependency",
    "DependencyType",
    "DesignDecision",
    "DesignJob",
    "DesignJobStatus",
    "DesignOutput",
    "DesignOutputType",
    "DesignOutputs",
    "DesignProgress",
    "EndedClaim",
    "EndedExecution",
    "Epic",
    "EpicProgress",
    "ErrorPolicy",
    "Execution",
    "ExecutionStatus",
    "ExecutionStep",
    "ExternalDependency",
    "FailedTask",
    "Feature",
    "FeatureProgress",
    "Health",
    "HistoryEntry",
    "HistoryPosition",
    "ImplementationTask",
    "Level",
    "Modification",
    "ModificationStatus",
    "NewDependency",
    "NewImplementationTask",
    "NewStep",
    "NewTask",
    "NewWorkflow",
    "NodeRecovery",
    "Pause",
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
    "ReasonCode",
    "RecoveryRate",
    "RelatedTask",
    "RenewedClaim",
    "SessionFigures",
    "SessionStatistics",
    "SessionStatus",
    "SessionSummary",
    "SessionWithJob",
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
    "TaskEvent",
    "TaskFile",
    "TaskFileInfo",
    "TaskKey",
    "TaskStatus",
    "TaskSummary",
    "TechMessage",
    "TechResearch",
    "TechSpecSession",
    "Template",
    "TemplateCategory",
    "TemplateSummary",
    "TrdDocument",
    "TrdDocumentInfo",
    "TriggerType",
    "Workflow",
    "WorkflowStatistics",
    "WorkflowStatus",
    "WorkflowStep",
]


def __getattr__(name: str) -> object:
    """Import the areas only when a model is asked for here: `taskdb.queries` needs few of them."""
    if name in __all__:
        for area in iter_modules(__path__):
            module = import_module(f"{__name__}.{area.name}")
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
