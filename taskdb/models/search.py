"""Results of a search."""

from dataclasses import dataclass
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import TaskStatus

__all__ = ["MATCH_BEGINS", "MATCH_ENDS", "Match"]

MATCH_BEGINS = "\ue000"
MATCH_ENDS = "\ue001"


@dataclass(slots=True)
class Match(Model):
    """A task that has the words; a higher `rank` is a better match.

    `excerpt` is from the description, with what matched between `MATCH_BEGINS` and
    `MATCH_ENDS`, which occur in it for nothing else; None if there is no description.
    """

    id: UUID
    key: str
    title: str
    status: TaskStatus
    rank: float
    excerpt: str | None
