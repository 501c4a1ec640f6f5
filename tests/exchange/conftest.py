"""Plans of shark and of beads to import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taskdb.exchange import read_plan
from taskdb.exchange.plan import Plan
from tests.exchange.beads_lines import Read
from tests.exchange.loading import DAY
from tests.exchange.shark_tables import Tables
from tests.exchange_files import write_lines


@pytest.fixture
def shark(tmp_path: Path) -> Path:
    """A tracker's folder: four tasks of one feature, in every kind of state."""
    folder = tmp_path / "db"
    write_lines(
        folder / "epics.jsonl",
        {"id": 1, "key": "E04", "title": "Core", "status": "active", "created_at": DAY},
    )
    write_lines(
        folder / "features.jsonl",
        {"id": 1, "epic_id": 1, "key": "E04-F01", "title": "Schema", "status": "active"},
    )
    common = {"feature_id": 1, "created_at": DAY}
    write_lines(
        folder / "tasks.jsonl",
        {
            "id": 1,
            "key": "T-1",
            "title": "Base",
            "status": "completed",
            "completed_at": "2025-12-25 21:25:56.162784375-06:00",
            **common,
        },
        {
            "id": 2,
            "key": "T-2",
            "title": "Next",
            "status": "todo",
            "depends_on": '["T-1"]',
            **common,
        },
        {
            "id": 3,
            "key": "T-3",
            "title": "Then",
            "status": "todo",
            "depends_on": '["T-2"]',
            **common,
        },
        {
            "id": 4,
            "key": "T-4",
            "title": "Under way",
            "status": "in_progress",
            "assigned_agent": "ann",
            "started_at": "2025-12-26 10:00:00",
            **common,
        },
    )
    write_lines(
        folder / "task_history.jsonl",
        {"id": 1, "task_id": 1, "new_status": "todo", "agent": "ann", "timestamp": DAY},
        {
            "id": 2,
            "task_id": 1,
            "old_status": "in_qa",
            "new_status": "completed",
            "notes": "fine",
            "forced": 1,
            "timestamp": "2025-12-26 03:25:56",
        },
    )
    return folder


@pytest.fixture
def beads(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of issues, each given as its number and what is special about it."""

    def write(*issues: dict[str, Any], name: str = "issues.jsonl") -> Path:
        rows = [{"title": f"Issue {row['id']}", "status": "open"} | row for row in issues]
        return write_lines(tmp_path / name, *rows)

    return write


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path / "db")


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a file of these lines."""

    def read(*rows: object, prefix: str = "") -> Plan:
        path = write_lines(tmp_path / "issues.jsonl", *rows)
        return read_plan("beads", path, prefix=prefix)

    return read
