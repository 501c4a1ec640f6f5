"""Durations of work, and times of waiting."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import TaskStatus

__all__ = [
    "AgeingTask",
    "BurnUp",
    "DayCount",
    "FlowFigures",
    "FlowGroup",
    "Reopening",
    "StatusTime",
    "Stay",
    "TaskFlow",
]


@dataclass(slots=True)
class TaskFlow(Model):
    """Moments of a task's creation, its first start, and its last completion.

    `lead_time` is from the first to the last of these, `cycle_time` from the second. A task
    that came as completed has neither. `skewed`: its times run backwards somewhere.
    """

    id: UUID
    key: str
    status: TaskStatus
    came_at: datetime
    started_at: datetime | None
    done_at: datetime | None
    done_by: str | None
    lead_time: timedelta | None
    cycle_time: timedelta | None
    reopened_count: int
    skewed: bool


@dataclass(slots=True)
class Stay(Model):
    """A stay of a task in a status; `left_at` is None if it lasts, and `stayed` is until now."""

    position: int
    status: TaskStatus
    agent: str
    entered_at: datetime
    left_at: datetime | None
    stayed: timedelta
    is_transition: bool
    skewed: bool


@dataclass(slots=True)
class FlowFigures(Model):
    """Figures over completed tasks; times are None if no task tells one.

    `skewed_count` of them have times that run backwards, and are left out of the times;
    `reopened_count` of them were reopened at least once.
    """

    done_count: int
    skewed_count: int
    reopened_count: int
    lead_time_median: timedelta | None
    lead_time_p85: timedelta | None
    cycle_time_median: timedelta | None
    cycle_time_p85: timedelta | None


@dataclass(slots=True)
class FlowGroup(Model):
    """The same of one agent, or one agent type; `name` is None for tasks of no type."""

    name: str | None
    done_count: int
    skewed_count: int
    reopened_count: int
    lead_time_median: timedelta | None
    lead_time_p85: timedelta | None
    cycle_time_median: timedelta | None
    cycle_time_p85: timedelta | None


@dataclass(slots=True)
class StatusTime(Model):
    """Time that completed tasks spent in a status until they were done."""

    status: TaskStatus
    task_count: int
    total: timedelta
    median: timedelta


@dataclass(slots=True)
class DayCount(Model):
    """Number of completions and reopenings on a day."""

    day: date
    completed_count: int
    reopened_count: int


@dataclass(slots=True)
class AgeingTask(Model):
    """Work that goes on: since when, its last transition and by whom, and how old it is.

    `percentile` is the share, 0 to 100, of completed tasks whose cycle time was no longer than
    `age`; None if there are none.
    """

    id: UUID
    key: str
    title: str
    status: TaskStatus
    agent_type: str | None
    agent: str
    started_at: datetime
    changed_at: datetime
    age: timedelta
    percentile: float | None


@dataclass(slots=True)
class Reopening(Model):
    """A transition from a finished status back to an open one."""

    id: UUID
    key: str
    title: str
    old_status: TaskStatus
    new_status: TaskStatus
    agent: str
    note: str | None
    created_at: datetime


@dataclass(slots=True)
class BurnUp(Model):
    """Number of tasks of an epic, or a plan, at the end of a day, and of those done."""

    day: date
    task_count: int
    done_count: int
