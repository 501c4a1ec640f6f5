"""The plan for files of other kinds: `sql/queries/outgoing.sql`."""

from taskdb.models.outgoing import Beside, OutgoingTask
from taskdb.queries import query


@query
def list_plan() -> list[OutgoingTask]:
    """Return every task with the keys of what it waits for, the oldest first."""
    ...


@query
def count_beside() -> Beside:
    """Return how many rows there are of what only the whole workspace's file holds."""
    ...
