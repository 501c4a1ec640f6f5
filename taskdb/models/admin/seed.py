"""Result of `taskdb db seed`."""

from __future__ import annotations

from dataclasses import dataclass

from taskdb.models.base import Model

__all__ = ["Seeded"]


@dataclass(slots=True)
class Seeded(Model):
    """Rows that one statement of `sql/queries/admin/seed.sql` made, and how long it took."""

    statement: str
    row_count: int
    seconds: float
