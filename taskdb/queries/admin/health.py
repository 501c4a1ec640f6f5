"""Figures for operators, at a bounded cost."""

from __future__ import annotations

from datetime import timedelta

from taskdb.models.admin.health import ServerFigures, TableFigures, TaskCounts
from taskdb.queries.admin import query


@query
def task_counts(*, most: int) -> TaskCounts:
    """Count the tasks in the states that matter, each up to *most*."""
    ...


@query
def oldest_ready() -> timedelta | None:
    """Return how long the task that is ready the longest has been so; None if none is ready.

    With more than a thousand ready tasks another one may have been ready for longer.
    """
    ...


@query
def list_tables() -> list[TableFigures]:
    """Return the figures of the tables that change with every transition, by name."""
    ...


@query
def server() -> ServerFigures:
    """Return what other sessions of the database do, hold back and wait for."""
    ...
