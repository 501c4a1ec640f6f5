"""Words for the tests that import a plan into a database."""

from __future__ import annotations

from typing import Any

import psycopg

from taskdb.exchange import Report

Conn = psycopg.Connection[Any]
DAY = "2025-12-20 17:45:04"
TABLES = ("epics", "features", "tasks", "task_dependencies", "task_history", "task_claims")


def dump(conn: Conn) -> dict[str, list[str]]:
    """Return all rows of the workspace as text."""
    return {
        table: sorted(row[0] for row in conn.execute(f"select t::text from {table} as t"))
        for table in TABLES
    }


def refusals(report: Report) -> list[str]:
    return [f"{finding.what} {finding.key}: {finding.reason}" for finding in report.refused]


def on(*targets: str, kind: str = "blocks") -> list[dict[str, str]]:
    return [{"depends_on_id": target, "type": kind} for target in targets]
