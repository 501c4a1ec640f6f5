"""The plan as a CSV table, which `taskdb import csv` reads."""

from __future__ import annotations

import csv
import io
from typing import Any, BinaryIO, Final

from psycopg import Connection

from taskdb.exchange.archive import ArchiveReport
from taskdb.exchange.formulas import guarded
from taskdb.exchange.leaving import moment_text, read_plan
from taskdb.exchange.losses import lost_from_row
from taskdb.models.outgoing import OutgoingTask
from taskdb.models.types import TaskStatus

__all__ = ["export_csv"]

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


def export_csv(conn: Connection[Any], out: BinaryIO) -> ArchiveReport:
    """Write every task as a row of CSV, with columns for blocks and blocked by.

    `taskdb import csv` reads it. A cell that a spreadsheet would take for a formula has an
    apostrophe before it, which the import leaves out. *conn* must not be in a transaction.
    """
    tasks, report = read_plan(conn, lost_from_row)
    blocks: dict[str, list[str]] = {}
    for task in tasks:
        for blocker in task.blocked_by:
            blocks.setdefault(blocker, []).append(task.key)
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for task in tasks:
        rows.writerow(map(guarded, _cells(task, blocks.get(task.key, []))))
    out.write(text.getvalue().encode())
    return report


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
