"""Figures of a workspace and its server, for operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from taskdb.models.base import Model

__all__ = ["ServerFigures", "TableFigures", "TaskCounts"]


@dataclass(slots=True)
class TaskCounts(Model):
    """Tasks in the states that matter, each counted up to a limit.

    A task that only waits for another's files counts as ready. `longest_lapse` is how long the
    lease of a live claim has been over; None: none is.
    """

    ready_count: int
    blocked_count: int
    in_progress_count: int
    in_review_count: int
    failed_count: int
    lapsed_lease_count: int
    longest_lapse: timedelta | None


@dataclass(slots=True)
class TableFigures(Model):
    """Rows and updates of a table, by the server's statistics."""

    name: str
    live_tuple_count: int
    dead_tuple_count: int
    update_count: int
    hot_update_count: int


@dataclass(slots=True)
class ServerFigures(Model):
    """Other sessions of the database, what they hold back, and what they wait for.

    A snapshot's age is in time and in transactions that began since; None: there is none. Of
    hidden sessions the asking role may not see the state, nor since when they hold a snapshot.
    """

    database: str
    oldest_snapshot_age: timedelta | None
    oldest_snapshot_transactions: int | None
    lock_wait_count: int
    longest_lock_wait: timedelta | None
    notification_queue_usage: float
    session_count: int
    active_session_count: int
    idle_in_transaction_count: int
    hidden_session_count: int
    max_connections: int
