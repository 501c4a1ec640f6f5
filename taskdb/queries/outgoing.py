"""The plan for files of other kinds: `sql/queries/outgoing.sql`."""

from taskdb.models.outgoing import Beside, OutgoingTask
from taskdb.queries import query


@query
def list_plan() -> list[OutgoingTask]:
    """Return every task with the keys of its blockers, the oldest first."""
    ...


@query
def count_beside() -> Beside:
    """Return the number of rows that only the whole workspace's file has."""
    ...
