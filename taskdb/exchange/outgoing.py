"""The plan as a CSV table or a Markdown board. What neither holds is counted and named."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final

import psycopg

from taskdb.exchange.archive import ArchiveReport
from taskdb.exchange.beadswriter import export_beads
from taskdb.exchange.leaving import lost_anywhere, moment_text, read_plan
from taskdb.exchange.taskmasterwriter import export_taskmaster
from taskdb.models.outgoing import OutgoingTask
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.text import clean

__all__ = ["WRITERS", "export_board", "export_csv"]

Connection = psycopg.Connection[Any]

COLUMNS: Final = (
    "key",
    "title",
    "description",
    "status",
    "priority",
    "labels",
    "parent",
    "blocked_by",
    "blocks",
    "assignee",
    "created_by",
    "created_at",
    "started_at",
    "updated_at",
    "scheduled_at",
    "completed_at",
)
BOARD: Final = {
    TaskStatus.PENDING: "Ready",
    TaskStatus.IN_PROGRESS: "In progress",
    TaskStatus.IN_REVIEW: "In review",
    TaskStatus.BLOCKED: "Blocked",
    TaskStatus.FAILED: "Failed",
    TaskStatus.COMPLETED: "Completed",
}


def export_csv(conn: Connection, out: BinaryIO) -> ArchiveReport:
    """Write every task as a row of CSV, with columns for blocks and blocked by.

    `taskdb import csv` reads it. *conn* must not be in a transaction.
    """
    tasks, report = read_plan(conn, _lost)
    blocks: dict[str, list[str]] = {}
    for task in tasks:
        for blocker in task.blocked_by:
            blocks.setdefault(blocker, []).append(task.key)
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for task in tasks:
        rows.writerow(_cells(task, blocks.get(task.key, [])))
    out.write(text.getvalue().encode())
    return report


def export_board(conn: Connection, out: BinaryIO) -> ArchiveReport:
    """Write a board in Markdown: a list for each status, the most urgent first.

    *conn* must not be in a transaction.
    """
    tasks, report = read_plan(conn, _lost)
    for status, name in BOARD.items():
        listed = sorted((task for task in tasks if task.status is status), key=_urgency)
        out.write(f"## {name} ({len(listed)})\n\n".encode())
        out.write("".join(f"- {_line(task)}\n" for task in listed).encode() + b"\n" * bool(listed))
    report.lost["tasks cancelled or archived"] = sum(
        task.status in (TaskStatus.CANCELLED, TaskStatus.ARCHIVED) for task in tasks
    )
    report.lost["descriptions"] = sum(bool(task.description) for task in tasks)
    return report


WRITERS: Final = {
    "beads": export_beads,
    "taskmaster": export_taskmaster,
    "csv": export_csv,
    "markdown": export_board,
}


def _lost(task: OutgoingTask) -> Iterator[str]:
    """Name what a row can't hold of a task."""
    if task.requirements:
        yield "requirements"
    yield from lost_anywhere(task)
    if task.estimated_hours is not None:
        yield "estimates"
    if task.blocked_reason:
        yield "reasons of holds"
    if task.status is TaskStatus.FAILED:
        yield "failed tasks, on hold when imported"
    for edge in task.edges:
        if edge.dependency_type is DependencyType.SUGGESTS:
            yield "suggestions"
        elif edge.dependency_type is not DependencyType.BLOCKS:
            yield f"{edge.dependency_type.value}, which become blocks"
    if any("," in name for name in (*task.labels, *task.blocked_by)):
        yield "commas in labels or keys"


def _cells(task: OutgoingTask, blocks: list[str]) -> list[str]:
    status = task.status.value.replace("_", " ")
    if task.status is TaskStatus.BLOCKED:
        # Its dependencies are in the file.
        status = "on hold" if task.blocked_reason else "pending"
    return [
        task.key,
        task.title,
        task.description or "",
        status,
        str(task.priority),
        ", ".join(task.labels),
        task.parent or "",
        ", ".join(task.blocked_by),
        ", ".join(blocks),
        task.claim_agent or "",
        task.created_by or "",
        moment_text(task.created_at) or "",
        moment_text(task.started_at) or "",
        moment_text(task.updated_at) or "",
        moment_text(task.scheduled_at) or "",
        moment_text(task.completed_at) or "",
    ]


def _urgency(task: OutgoingTask) -> tuple[int, datetime, str]:
    return task.priority, task.created_at, task.key


def _line(task: OutgoingTask) -> str:
    """Return a task as one line; its words can't become markup."""
    said = f"`{clean(task.key).replace('`', '')}` {_escaped(task.title)}"
    if task.claim_agent:
        said += f" ({_escaped(task.claim_agent)})"
    if task.blocked_reason:
        said += f" (on hold: {_escaped(task.blocked_reason)})"
    elif task.status is TaskStatus.BLOCKED:
        said += f" (waits for {_escaped(', '.join(task.blocked_by))})"
    return said


def _escaped(text: str) -> str:
    return "".join(f"\\{each}" if each in r"\`*_{}[]<>()#+-.!|~&" else each for each in clean(text))
