"""The report page of a workspace, written for a test."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from taskdb.queries import selection
from taskdb.report import collect, render

Conn = psycopg.Connection[Any]


PAST = datetime(2020, 1, 1, tzinfo=UTC)
LARGEST = "beads/steveyegge+beads/2025-12-19_1021issues_949af953.jsonl"
# The graph on the page, for scripts.
GRAPH = "document.getElementById('cy')._cyreg.cy"


def write(conn: Conn, path: Path, since: datetime = PAST) -> Path:
    """Write the page of all tasks."""
    ids = selection.chosen(conn)
    shown = collect(conn, task_ids=ids, since=since, workspace="taskdb", scope="whole plan")
    path.write_text(render(shown), encoding="utf-8")
    return path
