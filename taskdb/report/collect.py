"""Data of the page, read in one snapshot of the database through the typed functions."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import psycopg

from taskdb.models.flow import BurnUp
from taskdb.models.planning import PlannedTask
from taskdb.models.report import ReportedTask
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import flow, planning, report
from taskdb.queries.fields import AnyText
from taskdb.query import checked

__all__ = ["collect"]

# More changes than anyone reads; the page says how many are left out.
MOST_TRANSITIONS: Final = 2000
OPEN: Final = frozenset(
    {TaskStatus.PENDING, TaskStatus.BLOCKED, TaskStatus.IN_PROGRESS, TaskStatus.IN_REVIEW}
)
DEPENDENCY_TYPES: Final = tuple(DependencyType)

Places = dict[str, int]


@checked
def collect(
    conn: psycopg.Connection[Any],
    *,
    task_ids: list[UUID],
    since: datetime,
    workspace: AnyText,
    scope: AnyText,
) -> dict[str, Any]:
    """Return what the page of these tasks shows, as what JSON holds.

    Tasks are rows of `columns`, and other rows name a task by its place among them. Those that
    the tasks wait for outside are at the end, after the `count` of *task_ids*. Moments are ISO
    8601, durations hours. Call it in a transaction that is repeatable read.
    """
    reported = report.reported(conn, task_ids=task_ids)
    waits = report.waits(conn, task_ids=task_ids)
    open_ids = [task.id for task in reported if task.status in OPEN]
    planned = planning.schedule(conn, task_ids=open_ids)
    tasks = [_task_row(task) for task in reported]
    places: Places = {task.key: place for place, task in enumerate(reported)}
    for wait in waits:
        _outside(tasks, places, wait.blocker_key, wait.blocker_title, wait.blocker_status)
    for row in planned:
        _outside(tasks, places, row.key, row.title, row.status)
    transitions = report.transitions(
        conn, task_ids=task_ids, since=since, limit=MOST_TRANSITIONS + 1
    )
    return {
        "made_at": _iso(datetime.now(UTC)),
        "version": version("taskdb"),
        "workspace": workspace,
        "scope": scope,
        "since": _iso(since),
        "count": len(reported),
        "columns": COLUMNS,
        "tasks": tasks,
        "dependency_types": DEPENDENCY_TYPES,
        "waits": [
            [
                places[wait.key],
                places[wait.blocker_key],
                DEPENDENCY_TYPES.index(wait.dependency_type),
                int(wait.is_satisfied),
                int(wait.is_dead),
            ]
            for wait in waits
        ],
        "blocking_reasons": [
            [places[row.key], row.reason, row.detail]
            for row in report.blocking_reasons(conn, task_ids=open_ids)
        ],
        "schedule": [_planned_row(row, places) for row in planned],
        "burn_up": _thinned(flow.burn_up(conn, task_ids=task_ids)) if task_ids else [],
        "durations": _durations(conn),
        "transitions": [
            [
                places[row.key],
                row.old_status,
                row.new_status,
                row.agent,
                row.note,
                _iso(row.created_at),
            ]
            for row in transitions[:MOST_TRANSITIONS]
        ],
        "transitions_left_out": len(transitions) > MOST_TRANSITIONS,
    }


COLUMNS: Final = (
    "key",
    "title",
    "status",
    "ready",
    "priority",
    "agent_type",
    "assigned",
    "claimed_by",
    "lease",
    "hold",
    "labels",
    "excerpt",
    "parent",
    "feature",
    "came",
    "started",
    "done",
    "done_by",
    "cycle",
    "reopened",
    "skewed",
)


def _task_row(task: ReportedTask) -> list[Any]:
    is_open = task.status in OPEN
    return [
        task.key,
        task.title,
        task.status,
        int(task.is_ready),
        task.effective_priority,
        task.agent_type,
        task.assigned_agent,
        task.claim_agent,
        _iso(task.lease_expires_at),
        task.blocked_reason,
        task.labels,
        # Nobody reads that of a finished task, and it is most of the page.
        task.excerpt if is_open else None,
        task.parent_key,
        task.feature_key,
        _iso(task.came_at),
        _iso(task.started_at),
        _iso(task.done_at or task.completed_at),
        task.done_by,
        None if task.cycle_time is None else _hours(task.cycle_time.total_seconds()),
        task.reopened_count,
        int(task.skewed),
    ]


def _outside(
    tasks: list[list[Any]], places: Places, key: str, title: str, status: TaskStatus
) -> None:
    """Add a task that only stands beside these."""
    if key not in places:
        places[key] = len(tasks)
        tasks.append([key, title, status])


def _planned_row(row: PlannedTask, places: Places) -> list[Any]:
    return [
        places[row.key],
        float(row.earliest_start_hours),
        float(row.earliest_finish_hours),
        float(row.slack_hours),
        row.hours_from,
        row.path_step,
        int(row.stuck),
    ]


def _thinned(days: list[BurnUp]) -> list[list[Any]]:
    """Return the days on which a count changes, with the first and the last."""
    changed = [
        day
        for before, day in pairwise(days)
        if (day.task_count, day.done_count) != (before.task_count, before.done_count)
    ]
    shown = {day.day: day for day in (*days[:1], *changed, *days[-1:])}
    return [[day.day.isoformat(), day.task_count, day.done_count] for day in shown.values()]


def _durations(conn: psycopg.Connection[Any]) -> dict[str, list[float]]:
    """Return measured durations in hours by agent type; "" is none."""
    by_type: dict[str, list[float]] = {}
    for row in report.durations(conn):
        hours = _hours(row.cycle_time.total_seconds())
        by_type.setdefault(row.agent_type or "", []).append(hours)
    return by_type


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 4)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
