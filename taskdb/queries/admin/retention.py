"""Batched deletion of old rows: `sql/queries/admin/retention.sql`. See `taskdb.admin.retention`."""

from datetime import datetime, timedelta
from typing import Annotated

from taskdb.queries.admin import query
from taskdb.query import Range

Age = Annotated[timedelta, Range(timedelta(hours=1), timedelta(days=36500))]
Batch = Annotated[int, Range(1, 100_000)]


@query
def cutoff(older_than: Age) -> datetime:
    """Return now() minus *older_than*, by the server's clock."""
    ...


@query
def count_conversations(*, before: datetime) -> int:
    """Return the number of messages older than *before*."""
    ...


@query
def prune_conversations(*, before: datetime, limit: Batch) -> int:
    """Delete up to *limit* of the oldest messages; return how many."""
    ...


@query
def count_errors(*, before: datetime) -> int:
    """Return the number of errors of agents older than *before*."""
    ...


@query
def prune_errors(*, before: datetime, limit: Batch) -> int:
    """Delete up to *limit* of the oldest errors of agents; return how many."""
    ...
