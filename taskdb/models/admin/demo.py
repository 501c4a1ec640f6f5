"""Rows that the demo reads back from the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from taskdb.models.base import Model
from taskdb.models.types import ClaimOutcome, TaskStatus

__all__ = ["AgentAtWork", "LeftOpen", "Takeover", "Violation", "WorkCount"]


@dataclass(slots=True)
class AgentAtWork(Model):
    """Agent's completed tasks, and the task it has in hand, if it has one."""

    name: str
    completed_count: int
    key: str | None
    title: str | None


@dataclass(slots=True)
class Takeover(Model):
    """A claim that lapsed, and the one that followed it; `outcome` is the second one's."""

    key: str
    lost_by: str
    taken_by: str
    after: timedelta
    outcome: ClaimOutcome | None


@dataclass(slots=True)
class WorkCount(Model):
    """Amount of work to check."""

    claim_count: int
    completed_count: int
    dependency_count: int


@dataclass(slots=True)
class Violation(Model):
    """A task that breaks a rule, and how."""

    key: str
    violation: str


@dataclass(slots=True)
class LeftOpen(Model):
    """A task that stays open; `details` has the words for each of `reasons`."""

    key: str
    title: str
    status: TaskStatus
    assigned_agent: str | None
    reasons: list[str]
    details: list[str]
