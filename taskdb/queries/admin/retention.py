"""Batched deletion of old rows: `sql/queries/admin/retention.sql`. See `taskdb.admin.retention`."""

from datetime import datetime, timedelta
from typing import Annotated

from taskdb.queries.admin import query
from taskdb.query import Range

Age = Annotated[timedelta, Range(timedelta(hours=1), timedelta(days=36500))]
Batch = Annotated[int, Range(1, 100_000)]


@query
def cutoff(older_than: Age) -> datetime:
    """Return the moment that was so long ago, by the server's clock."""
    ...


@query
def count_conversations(*, before: datetime) -> int:
    """Return how many messages are older."""
    ...


@query
def prune_conversations(*, before: datetime, limit: Batch) -> int:
    """Delete up to *limit* of the oldest messages; return how many."""
    ...


@query
def count_errors(*, before: datetime) -> int:
    """Return how many errors of agents are older."""
    ...


@query
def prune_errors(*, before: datetime, limit: Batch) -> int:
    """Delete up to *limit* of the oldest errors of agents; return how many."""
    ...
