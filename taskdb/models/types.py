"""The enumerated types of the schema `shared`, and the names of what obstructs a task."""

from enum import StrEnum


class TaskStatus(StrEnum):
    """Where a task stands. Allowed moves are rows of `task_status_transitions`."""

    PENDING = "pending"
    BLOCKED = "blocked"
    IN_PROGRESS = "in_progress"
    IN_REVIEW = "in_review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


class PlanStatus(StrEnum):
    """Where an epic or a feature stands."""

    DRAFT = "draft"
    ACTIVE = "active"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class Level(StrEnum):
    """A coarse grade: the priority and the business value of an epic."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class DependencyType(StrEnum):
    """What satisfies a dependency.

    `REQUIRES`: its blocker is completed, or archived after completion. `BLOCKS`: it is
    completed, cancelled or archived. `SUGGESTS`: always; it is advice.
    """

    REQUIRES = "requires"
    BLOCKS = "blocks"
    SUGGESTS = "suggests"


class ClaimOutcome(StrEnum):
    """How an attempt at a task ended."""

    COMPLETED = "completed"
    SUBMITTED = "submitted"
    FAILED = "failed"
    RELEASED = "released"
    LAPSED = "lapsed"
    REVOKED = "revoked"


class SubtaskStatus(StrEnum):
    """A line of a checklist."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class SpecStatus(StrEnum):
    """Where a specification stands. Allowed moves are rows of `spec_status_transitions`."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class SpecType(StrEnum):
    """What a specification is kept as: one text, or JSON with phases."""

    MONOLITHIC = "monolithic"
    HIERARCHICAL = "hierarchical"


class PhaseStatus(StrEnum):
    """Where the current phase of a specification stands."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class ObstacleReason(StrEnum):
    """Why a task can't be claimed now."""

    FINISHED = "finished"
    IN_REVIEW = "in_review"
    CLAIMED = "claimed"
    STARTED_BY_HAND = "started_by_hand"
    OVERDUE = "overdue"
    PAUSED = "paused"
    HELD = "held"
    DEPENDENCY = "dependency"
    SCHEDULED = "scheduled"
    EXTERNAL = "external"
    FILES = "files"
    RESERVED = "reserved"
    AGENT_TYPE = "agent_type"


class WorkflowStatus(StrEnum):
    """Where a workflow stands. Allowed moves are rows of `workflow_status_transitions`."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


class TriggerType(StrEnum):
    """What starts a workflow."""

    MANUAL = "manual"
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    EVENT = "event"
    API = "api"


class ErrorPolicy(StrEnum):
    """What the failure of a step does.

    `STOP`: the execution fails. `CONTINUE`: what needs the step goes on. `RETRY`: it is tried
    again, and after its last attempt the execution fails.
    """

    STOP = "stop"
    CONTINUE = "continue"
    RETRY = "retry"


class ExecutionStatus(StrEnum):
    """Where an execution stands; all but `RUNNING` are its end."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """Where a step of an execution stands.

    `SKIPPED`: its condition did not hold, or a step that it needs was skipped. `CANCELLED`: the
    execution ended before it did.
    """

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class PullRequestState(StrEnum):
    """Where a pull request stands."""

    DRAFT = "draft"
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Health(StrEnum):
    """What checks say of an external dependency; `UNKNOWN` hinders nothing."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class ProjectStatus(StrEnum):
    """Where a project stands; `DELETED` is put away, and still there."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


class ModificationStatus(StrEnum):
    """Where a modification stands. Allowed moves: `modification_status_transitions`."""

    PENDING = "pending"
    APPROVED = "approved"
    APPLIED = "applied"
    FAILED = "failed"
    REJECTED = "rejected"


class TemplateCategory(StrEnum):
    """What a template makes."""

    API = "api"
    WEB = "web"
    MOBILE = "mobile"
    DATA = "data"
    MICROSERVICE = "microservice"


class Complexity(StrEnum):
    """How much a template asks of who uses it."""

    SIMPLE = "simple"
    MEDIUM = "medium"
    COMPLEX = "complex"


class DesignJobStatus(StrEnum):
    """Where a design job stands; `COMPLETED` is its end."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class DesignOutputType(StrEnum):
    """What a design job makes. All but `AI_STUDIO_CODE_PATH` are required of it."""

    PRD = "prd"
    DESIGN_SYSTEM = "design_system"
    UX_FLOW = "ux_flow"
    SCREEN_SPECS = "screen_specs"
    AI_STUDIO_CODE_PATH = "ai_studio_code_path"


class SessionStatus(StrEnum):
    """Where a tech-spec session stands. Allowed moves are rows of `session_status_transitions`."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


class ConversationRole(StrEnum):
    """Who says something in a conversation."""

    USER = "user"
    AGENT = "agent"
    SYSTEM = "system"
