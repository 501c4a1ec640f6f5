"""Findings and repairs of `taskdb doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskdb.models.base import Model

__all__ = [
    "EffectivePriority",
    "Finding",
    "Link",
    "Overdue",
    "PlanSettings",
    "Rank",
    "Repair",
    "WrongRank",
]


@dataclass(slots=True)
class Finding(Model):
    """Something that must always hold, and does not hold for one task or feature.

    `invariant` is what must hold, in a word; `subject` the key of the task or feature, `id` its
    id; `found` what is there, and `expected` what should be. A part of the schema has a name as
    its `subject`, and no id.
    """

    invariant: str
    subject: str
    id: UUID | None
    found: str
    expected: str

    @property
    def message(self) -> str:
        """Found and expected value, as one line."""
        return f"{self.found}; expected: {self.expected}"


@dataclass(slots=True)
class WrongRank(Finding):
    """A task, `waiting_id`, that does not rank above `blocker_id`, which it waits for."""

    waiting_id: UUID
    blocker_id: UUID


@dataclass(slots=True)
class Overdue(Model):
    """A task that no claim has found since it was due, or since its lease lapsed."""

    id: UUID
    key: str
    reason: str
    since: datetime


@dataclass(slots=True)
class Link(Model):
    """A step from the task with `id` and `key` to what it waits for, or to its parent."""

    id: UUID
    key: str
    next_key: str


@dataclass(slots=True)
class PlanSettings(Model):
    """Planner settings and statement timeout of a transaction, as PostgreSQL prints them."""

    enable_nestloop: str
    jit: str
    statement_timeout: str


@dataclass(slots=True)
class Rank(Model):
    """The rank of a task in the graph of dependencies."""

    id: UUID
    key: str
    graph_rank: int


@dataclass(slots=True)
class EffectivePriority(Model):
    """The effective priority of a task."""

    id: UUID
    key: str
    effective_priority: int


@dataclass(slots=True)
class Repair(Model):
    """Change that the doctor made to one task or feature."""

    invariant: str
    subject: str
    id: UUID
    old_value: str
    new_value: str

    @property
    def message(self) -> str:
        """Value before and after, as one line."""
        return f"{self.old_value} became {self.new_value}"
