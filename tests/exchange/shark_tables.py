"""A database of the shark task manager, to fill and to read."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from taskdb.exchange import read_plan
from taskdb.exchange.plan import Plan
from tests.exchange_files import write_lines

DAY = "2025-12-20 17:45:04"


class Tables:
    """A folder of tables: one epic, one feature, and what a test adds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids = itertools.count(1)
        self.rows: dict[str, list[dict[str, Any] | bytes]] = {
            "epics": [
                {"id": 4, "key": "E04", "title": "Core", "status": "active", "priority": "high"}
            ],
            "features": [
                {"id": 1, "epic_id": 4, "key": "E04-F01", "title": "Schema", "status": "active"}
            ],
            "tasks": [],
        }

    def task(self, **values: Any) -> dict[str, Any]:
        number = next(self.ids)
        row = {
            "id": number,
            "feature_id": 1,
            "key": f"T-{number}",
            "title": f"Task {number}",
            "status": "todo",
            "priority": 5,
            "created_at": DAY,
            **values,
        }
        self.rows["tasks"].append(row)
        return row

    def add(self, table: str, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)

    def plan(self, prefix: str = "") -> Plan:
        for table, rows in self.rows.items():
            write_lines(self.folder / f"{table}.jsonl", *rows)
        return read_plan("shark", self.folder, prefix=prefix)
