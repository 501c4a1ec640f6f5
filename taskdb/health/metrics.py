"""Metrics that Prometheus gets, and how each is read from the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from taskdb.database.pooling import PoolFigures
from taskdb.health.figures import MOST, HealthFigures
from taskdb.models.admin.health import TableFigures

__all__ = ["ALL", "OF_POOLS", "OF_WORKSPACES", "UP", "Metric"]

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Metric(Generic[F]):
    """A metric of *F*: its values, by those of its label, or one under "" where it has none."""

    name: str
    help: str
    read: Callable[[F], Mapping[str, float]]
    label: str = ""

    @property
    def is_counter(self) -> bool:
        """Return whether it only grows, which its name tells."""
        return self.name.endswith("_total")


def _one(read: Callable[[F], float | timedelta | None]) -> Callable[[F], Mapping[str, float]]:
    def values(figures: F) -> Mapping[str, float]:
        value = read(figures)
        if isinstance(value, timedelta):
            return {"": value.total_seconds()}
        return {"": value or 0}

    return values


def _by_table(
    read: Callable[[TableFigures], int],
) -> Callable[[HealthFigures], Mapping[str, float]]:
    return lambda health: {table.name: read(table) for table in health.tables}


def _tasks(health: HealthFigures) -> Mapping[str, float]:
    counts = health.tasks
    return {
        "ready": counts.ready_count,
        "blocked": counts.blocked_count,
        "in_progress": counts.in_progress_count,
        "in_review": counts.in_review_count,
        "failed": counts.failed_count,
    }


def _sessions(health: HealthFigures) -> Mapping[str, float]:
    server = health.server
    reported = server.active_session_count + server.idle_in_transaction_count
    return {
        "active": server.active_session_count,
        "idle in transaction": server.idle_in_transaction_count,
        "idle": server.session_count - reported - server.hidden_session_count,
        "hidden": server.hidden_session_count,
    }


UP: Final[Metric[bool]] = Metric(
    "taskdb_up", "Whether the figures could be read.", _one(lambda up: up)
)

OF_WORKSPACES: Final[tuple[Metric[HealthFigures], ...]] = (
    Metric("taskdb_tasks", f"Tasks by state, each counted up to {MOST}.", _tasks, "state"),
    Metric(
        "taskdb_oldest_ready_age_seconds",
        "How long the task that is ready the longest has been so.",
        _one(lambda health: health.oldest_ready_age),
    ),
    Metric(
        "taskdb_lapsed_leases",
        "Claims whose lease is over, and which no claim has noticed yet.",
        _one(lambda health: health.tasks.lapsed_lease_count),
    ),
    Metric(
        "taskdb_longest_lapse_seconds",
        "How long the longest of them has been over.",
        _one(lambda health: health.tasks.longest_lapse),
    ),
    Metric(
        "taskdb_live_tuples",
        "Live row versions, as the server estimates them.",
        _by_table(lambda table: table.live_tuple_count),
        "table",
    ),
    Metric(
        "taskdb_dead_tuples",
        "Dead row versions, as the server estimates them.",
        _by_table(lambda table: table.dead_tuple_count),
        "table",
    ),
    Metric(
        "taskdb_updates_total",
        "Updated rows.",
        _by_table(lambda table: table.update_count),
        "table",
    ),
    Metric(
        "taskdb_hot_updates_total",
        "Updated rows that needed no new index entry.",
        _by_table(lambda table: table.hot_update_count),
        "table",
    ),
    Metric(
        "taskdb_oldest_snapshot_age_seconds",
        "Age of the transaction that holds vacuum back the longest.",
        _one(lambda health: health.server.oldest_snapshot_age),
    ),
    Metric(
        "taskdb_oldest_snapshot_age_transactions",
        "Transactions that began since the oldest snapshot, also of a replication slot.",
        _one(lambda health: health.server.oldest_snapshot_transactions),
    ),
    Metric(
        "taskdb_lock_waits",
        "Sessions that wait for a lock.",
        _one(lambda health: health.server.lock_wait_count),
    ),
    Metric(
        "taskdb_longest_lock_wait_seconds",
        "How long the longest of them has waited.",
        _one(lambda health: health.server.longest_lock_wait),
    ),
    Metric(
        "taskdb_notification_queue_usage_ratio",
        "Used part of the server's queue of notifications, 0 to 1.",
        _one(lambda health: health.server.notification_queue_usage),
    ),
    Metric("taskdb_sessions", "Sessions of the database, by state.", _sessions, "state"),
    Metric(
        "taskdb_max_connections",
        "Sessions that the server admits, in all databases.",
        _one(lambda health: health.server.max_connections),
    ),
)

OF_POOLS: Final[tuple[Metric[PoolFigures], ...]] = (
    Metric(
        "taskdb_pool_connections",
        "Connections of the pool, by state.",
        lambda pool: {"used": pool.in_use, "idle": pool.available},
        "state",
    ),
    Metric(
        "taskdb_pool_waiting_requests",
        "Requests that wait for a connection.",
        _one(lambda pool: pool.waiting),
    ),
    Metric(
        "taskdb_pool_requests_total",
        "Requests for a connection.",
        _one(lambda pool: pool.requests),
    ),
    Metric(
        "taskdb_pool_delayed_requests_total",
        "Requests that had to wait.",
        _one(lambda pool: pool.requests_that_waited),
    ),
    Metric(
        "taskdb_pool_failed_requests_total",
        "Requests that got no connection.",
        _one(lambda pool: pool.requests_that_failed),
    ),
    Metric(
        "taskdb_pool_made_connections_total",
        "Attempts to connect.",
        _one(lambda pool: pool.connections_made),
    ),
    Metric(
        "taskdb_pool_lost_connections_total",
        "Connections that were found dead.",
        _one(lambda pool: pool.connections_lost),
    ),
    Metric(
        "taskdb_retries_total",
        "Transactions done again after a serialization failure or a deadlock.",
        _one(lambda pool: pool.retries),
    ),
    Metric(
        "taskdb_given_up_retries_total",
        "Transactions that failed at the last attempt.",
        _one(lambda pool: pool.retries_given_up),
    ),
)

ALL: Final[tuple[Metric[Any], ...]] = (UP, *OF_WORKSPACES, *OF_POOLS)
