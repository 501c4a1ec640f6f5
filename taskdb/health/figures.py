"""Figures of one moment, at a bounded cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from taskdb.database.connecting import Connection
from taskdb.models.admin.health import ServerFigures, TableFigures, TaskCounts
from taskdb.queries.admin import health

__all__ = ["MOST", "HealthFigures", "collect"]

MOST: Final = 100_000
"""End of counts of tasks."""


@dataclass(frozen=True, slots=True)
class HealthFigures:
    """Figures of one moment. `oldest_ready_age` is None where no task is ready."""

    tasks: TaskCounts
    oldest_ready_age: timedelta | None
    tables: list[TableFigures]
    server: ServerFigures


def collect(conn: Connection) -> HealthFigures:
    """Read the figures: four statements, none of which waits for a row or changes anything."""
    return HealthFigures(
        tasks=health.task_counts(conn, most=MOST),
        oldest_ready_age=health.oldest_ready(conn),
        tables=health.list_tables(conn),
        server=health.server(conn),
    )
