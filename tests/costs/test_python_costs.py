"""Work in Python grows with the number of tasks, not with its square."""

from __future__ import annotations

import json
from cProfile import Profile
from pathlib import Path
from typing import Any

import pytest

from taskdb.admin import doctor
from taskdb.exchange import import_plan
from taskdb.exchange.plan import Plan
from tests.admin.breaking import break_it
from tests.shapes import Connection, wide


def repair_calls(conn: Connection, size: int) -> int:
    """Return how many functions are called to repair a plan of which every task is wrong."""
    wide(conn, size)
    break_it(conn, "update tasks set is_ready = not is_ready")
    profile = Profile()
    repaired = profile.runcall(doctor.repair, conn)
    conn.rollback()
    assert len(repaired) == size
    return sum(entry.callcount for entry in profile.getstats())


def test_the_repair_of_four_times_the_tasks_calls_four_times_the_functions(
    superuser: Connection,
) -> None:
    few, many = (repair_calls(superuser, size) for size in (400, 1_600))

    assert many < 5 * few


def test_another_import_looks_a_task_up_without_listing_all(
    session: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = 0

    class Tasks(dict[str, Any]):
        def keys(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            nonlocal listed
            listed += 1
            return super().keys()

    by_key = Plan.tasks_by_key

    def tasks_by_key(plan: Plan) -> Tasks:
        return Tasks(by_key(plan))

    monkeypatch.setattr(Plan, "tasks_by_key", tasks_by_key)
    file = tmp_path / "issues.jsonl"
    for title in ("first", "second"):
        listed = 0
        waits = [{"depends_on_id": "t-0", "type": "blocks"}]
        issues = [
            {"id": f"t-{n}", "title": title, "status": "open", "dependencies": waits if n else []}
            for n in range(20)
        ]
        file.write_text("\n".join(map(json.dumps, issues)))
        report = import_plan(session, "beads", file)

    assert len(report.changes) == 20
    assert listed < 10
