"""The plan as a board in Markdown: a list for each status."""

from __future__ import annotations

from datetime import datetime
from typing import Any, BinaryIO, Final

from psycopg import Connection

from taskdb.exchange.archive import ArchiveReport
from taskdb.exchange.leaving import read_plan
from taskdb.exchange.losses import lost_from_row
from taskdb.models.outgoing import OutgoingTask
from taskdb.models.types import TaskStatus
from taskdb.text import clean

__all__ = ["export_board"]

BOARD: Final = {
    TaskStatus.PENDING: "Ready",
    TaskStatus.IN_PROGRESS: "In progress",
    TaskStatus.IN_REVIEW: "In review",
    TaskStatus.BLOCKED: "Blocked",
    TaskStatus.FAILED: "Failed",
    TaskStatus.COMPLETED: "Completed",
}


def export_board(conn: Connection[Any], out: BinaryIO) -> ArchiveReport:
    """Write a board in Markdown: a list for each status, the most urgent first.

    *conn* must not be in a transaction.
    """
    tasks, report = read_plan(conn, lost_from_row)
    for status, name in BOARD.items():
        listed = sorted((task for task in tasks if task.status is status), key=_by_priority)
        out.write(f"## {name} ({len(listed)})\n\n".encode())
        out.write("".join(f"- {_line(task)}\n" for task in listed).encode() + b"\n" * bool(listed))
    report.lost["tasks cancelled or archived"] = sum(
        task.status in (TaskStatus.CANCELLED, TaskStatus.ARCHIVED) for task in tasks
    )
    report.lost["descriptions"] = sum(bool(task.description) for task in tasks)
    return report


def _by_priority(task: OutgoingTask) -> tuple[int, datetime, str]:
    return task.priority, task.created_at, task.key


def _line(task: OutgoingTask) -> str:
    """Return a task as one line; its words can't become markup."""
    raw = f"`{clean(task.key).replace('`', '')}` {_escaped(task.title)}"
    if task.claim_agent:
        raw += f" ({_escaped(task.claim_agent)})"
    if task.blocked_reason:
        raw += f" (on hold: {_escaped(task.blocked_reason)})"
    elif task.status is TaskStatus.BLOCKED:
        raw += f" (waits for {_escaped(', '.join(task.blocked_by))})"
    return raw


def _escaped(text: str) -> str:
    return "".join(f"\\{each}" if each in r"\`*_{}[]<>()#+-.!|~&" else each for each in clean(text))
