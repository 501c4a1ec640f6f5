"""Figures of a plan."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import TaskStatus

__all__ = ["HoursFrom", "PlannedTask", "UnblockingTask", "Wave"]


class HoursFrom(StrEnum):
    """Source of a planned task's hours."""

    ESTIMATE = "estimate"
    MEDIAN = "median"
    DEFAULT = "default"


@dataclass(slots=True)
class PlannedTask(Model):
    """An open task in a schedule. Moments are hours of work from now, with enough agents.

    `slack_hours` is what it may slip without making the whole later. `wave` is 1 if it waits
    for nothing, else one more than the latest wave that it waits for. `path_step` numbers the
    tasks of one longest path, and is None beside it. A task that is not `in_scope` is there
    because one that is waits for it. `stuck` is one that waits, directly or not, for a task
    that failed or was given up: its hours hold only once that is repaired.
    """

    id: UUID
    key: str
    title: str
    status: TaskStatus
    agent_type: str | None
    in_scope: bool
    stuck: bool
    hours: Decimal
    hours_from: HoursFrom
    wave: int
    earliest_start_hours: Decimal
    earliest_finish_hours: Decimal
    latest_start_hours: Decimal
    latest_finish_hours: Decimal
    slack_hours: Decimal
    path_step: int | None


@dataclass(slots=True)
class Wave(Model):
    """Tasks that can be worked on at once: `task_count` is how many agents they can feed.

    `agent_types` has the number for agents of each type, under "" of those for any. `keys`
    are the tasks', without the `stuck_count` that wait for what failed or was given up.
    """

    wave: int
    task_count: int
    stuck_count: int
    longest_hours: Decimal
    total_hours: Decimal
    agent_types: dict[str, Any]
    keys: list[str]


@dataclass(slots=True)
class UnblockingTask(Model):
    """A task, and how many open tasks wait for it, directly or not."""

    id: UUID
    key: str
    title: str
    status: TaskStatus
    effective_priority: int
    unblocked_count: int
