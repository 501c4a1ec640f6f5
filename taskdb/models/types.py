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


class ObstacleReason(StrEnum):
    """Why a task can't be claimed now."""

    FINISHED = "finished"
    IN_REVIEW = "in_review"
    CLAIMED = "claimed"
    STARTED_BY_HAND = "started_by_hand"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    HELD = "held"
    DEPENDENCY = "dependency"
    SCHEDULED = "scheduled"
    RESERVED = "reserved"
    AGENT_TYPE = "agent_type"
