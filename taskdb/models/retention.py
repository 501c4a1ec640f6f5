"""What `taskdb prune` takes away."""

from dataclasses import dataclass

from taskdb.models.base import Model


@dataclass(slots=True)
class Pruned(Model):
    """Rows of *subject* ("conversations", "errors") that one batch took away."""

    subject: str
    row_count: int
