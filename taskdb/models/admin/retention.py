"""Numbers of rows that `taskdb prune` deletes."""

from dataclasses import dataclass

from taskdb.models.base import Model


@dataclass(slots=True)
class Pruned(Model):
    """Number of rows of *table* that are old, or were deleted."""

    table: str
    row_count: int
