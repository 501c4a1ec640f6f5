"""The enumerated types of the schema `shared`, and the names of what obstructs a task."""

from enum import StrEnum


class TaskStatus(StrEnum):
    """Status of a task. Allowed transitions are rows of `task_status_transitions`."""

    PENDING = "pending"
    BLOCKED = "blocked"
    IN_PROGRESS = "in_progress"
    IN_REVIEW = "in_review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


class PlanStatus(StrEnum):
    """Status of an epic or a feature."""

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
    """Condition that satisfies a dependency.

    `REQUIRES`: its blocker is completed, or archived after completion. `BLOCKS`: it is
    completed, cancelled or archived. `SUGGESTS`: always; it is advice. `CANCELLED_WITH`: as
    `REQUIRES`, and when its blocker fails or is given up, the task is cancelled with it.
    `COMPENSATES`: its blocker has failed; the task is cancelled when that can no longer happen.
    """

    REQUIRES = "requires"
    BLOCKS = "blocks"
    SUGGESTS = "suggests"
    CANCELLED_WITH = "cancelled_with"
    COMPENSATES = "compensates"


class ClaimOutcome(StrEnum):
    """End of an attempt at a task."""

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
    """Status of a specification. Allowed transitions are rows of `spec_status_transitions`."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class SpecType(StrEnum):
    """Form in which a specification is kept: one text, or JSON with phases."""

    MONOLITHIC = "monolithic"
    HIERARCHICAL = "hierarchical"


class PhaseStatus(StrEnum):
    """Status of a specification's current phase."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class ReasonCode(StrEnum):
    """Reason that blocks the claim of a task."""

    FINISHED = "finished"
    IN_REVIEW = "in_review"
    CLAIMED = "claimed"
    STARTED_BY_HAND = "started_by_hand"
    OVERDUE = "overdue"
    PAUSED = "paused"
    ON_HOLD = "on_hold"
    DEPENDENCY = "dependency"
    CONCURRENCY_KEY = "concurrency_key"
    SCHEDULED = "scheduled"
    EXTERNAL = "external"
    FILES = "files"
    RESERVED = "reserved"
    AGENT_TYPE = "agent_type"


class WorkflowStatus(StrEnum):
    """Status of a workflow. Allowed transitions are rows of `workflow_status_transitions`."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


class TriggerType(StrEnum):
    """Event that starts a workflow."""

    MANUAL = "manual"
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    EVENT = "event"
    API = "api"


class ErrorPolicy(StrEnum):
    """Effect of a step's failure.

    `STOP`: the execution fails. `CONTINUE`: what needs the step goes on. `RETRY`: it is tried
    again, and after its last attempt the execution fails.
    """

    STOP = "stop"
    CONTINUE = "continue"
    RETRY = "retry"


class ExecutionStatus(StrEnum):
    """Status of an execution; all but `RUNNING` are final."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """Status of a step of an execution.

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
    """State of a pull request."""

    DRAFT = "draft"
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Health(StrEnum):
    """Result of an external dependency's checks; `UNKNOWN` blocks nothing."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class ProjectStatus(StrEnum):
    """Status of a project; a `DELETED` one is put away, its rows still exist."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


class ModificationStatus(StrEnum):
    """Status of a modification. Allowed transitions: `modification_status_transitions`."""

    PENDING = "pending"
    APPROVED = "approved"
    APPLIED = "applied"
    FAILED = "failed"
    REJECTED = "rejected"


class TemplateCategory(StrEnum):
    """Kind of thing that a template makes."""

    API = "api"
    WEB = "web"
    MOBILE = "mobile"
    DATA = "data"
    MICROSERVICE = "microservice"


class Complexity(StrEnum):
    """Effort that a template asks of its user."""

    SIMPLE = "simple"
    MEDIUM = "medium"
    COMPLEX = "complex"


class DesignJobStatus(StrEnum):
    """Status of a design job; `COMPLETED` is final."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class DesignOutputType(StrEnum):
    """Kind of document of a design job. All but `AI_STUDIO_CODE_PATH` are required."""

    PRD = "prd"
    DESIGN_SYSTEM = "design_system"
    UX_FLOW = "ux_flow"
    SCREEN_SPECS = "screen_specs"
    AI_STUDIO_CODE_PATH = "ai_studio_code_path"


class SessionStatus(StrEnum):
    """Status of a tech-spec session. Allowed transitions: `session_status_transitions`."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


class ConversationRole(StrEnum):
    """Speaker of a message in a conversation."""

    USER = "user"
    AGENT = "agent"
    SYSTEM = "system"
