"""Rows of a plan's page: `sql/queries/report.sql`. `taskdb.report` draws it."""

from datetime import datetime
from uuid import UUID

from taskdb.models.report import (
    MeasuredDuration,
    ReportedReason,
    ReportedTask,
    ReportedTransition,
    ReportedWait,
)
from taskdb.queries import query
from taskdb.queries.fields import Limit

__all__ = ["blocking_reasons", "durations", "reported", "transitions", "waits"]


@query
def reported(*, task_ids: list[UUID]) -> list[ReportedTask]:
    """Return these tasks with their history, each after its blockers."""
    ...


@query
def waits(*, task_ids: list[UUID]) -> list[ReportedWait]:
    """Return the dependencies of these tasks, satisfied ones too, in the order of `reported`."""
    ...


@query
def blocking_reasons(*, task_ids: list[UUID]) -> list[ReportedReason]:
    """Return why these tasks cannot be claimed, but for dependencies and live claims."""
    ...


@query
def durations(*, limit: Limit = 5000) -> list[MeasuredDuration]:
    """Return the cycle times of the tasks that were completed last, of the whole workspace.

    Tasks whose times run backwards, or that never were in progress, have none.
    """
    ...


@query
def transitions(
    *, task_ids: list[UUID], since: datetime, limit: Limit = 1000
) -> list[ReportedTransition]:
    """Return the changes of these tasks since a moment, the newest first."""
    ...
