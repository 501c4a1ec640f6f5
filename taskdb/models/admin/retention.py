"""What `taskdb prune` takes away."""

from dataclasses import dataclass

from taskdb.models.base import Model


@dataclass(slots=True)
class Pruned(Model):
    """How many rows of *table* are old, or were taken away."""

    table: str
    row_count: int
