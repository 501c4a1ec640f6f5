"""Deletion of old messages of tech-spec sessions and errors of their agents: `taskdb prune`.

::

    before = retention.cutoff(conn, timedelta(days=90))
    for batch in retention.prune(conn, before=before):
        print(batch.table, batch.row_count)

Sessions, research and documents stay; so do claims, whose tokens must not be given twice, and
history.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from taskdb.models.admin.retention import Pruned
from taskdb.queries.admin import retention as queries
from taskdb.queries.admin.retention import Age, Batch
from taskdb.query import checked

__all__ = ["BATCH", "TABLES", "count_old", "cutoff", "prune"]

BATCH: Final = 5_000
"""Rows a transaction: few enough that nobody waits long for it."""

# The queries that count and delete the old rows of each table.
_QUERIES: Final[dict[str, tuple[Callable[..., int], Callable[..., int]]]] = {
    "tech_conversations": (queries.count_conversations, queries.prune_conversations),
    "agent_error_logs": (queries.count_errors, queries.prune_errors),
}

TABLES: Final = tuple(_QUERIES)
"""The tables to prune, in this order."""


@checked
def cutoff(conn: Connection[Any], older_than: Age) -> datetime:
    """Return the moment that was so long ago, by the server's clock.

    Raises `ValidationError` for less than an hour, or more than a hundred years.
    """
    with conn.transaction():
        return queries.cutoff(conn, older_than)


@checked
def count_old(conn: Connection[Any], *, before: datetime) -> list[Pruned]:
    """Return how many rows `prune` would take away, table by table."""
    with conn.transaction():
        return [Pruned(table, count(conn, before=before)) for table, (count, _) in _QUERIES.items()]


@checked
def prune(
    conn: Connection[Any], *, before: datetime, batch_size: Batch = BATCH
) -> Generator[Pruned]:
    """Delete what was made before a moment, the oldest first, batch by batch.

    Each batch is a transaction of its own unless the caller is in one, so what was yielded is
    gone, and a run that is interrupted is simply run again. Rows that another session has
    locked are left out. Raises `ValidationError` for a batch size below 1 or above 100,000.
    """
    for table, (_, delete) in _QUERIES.items():
        deleted = batch_size
        while deleted == batch_size:
            with conn.transaction():
                deleted = delete(conn, before=before, limit=batch_size)
            if deleted:
                yield Pruned(table, deleted)
