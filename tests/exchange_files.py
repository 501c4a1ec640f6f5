"""Files to import: small ones made by hand, and the real ones beside the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taskdb.exchange.plan import Plan, PlanTask
from taskdb.exchange.report import Action, Findings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CASES = DATA.parent / "cases" / "exchange"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the real trackers' files are not here: {DATA}"
)


def stats() -> dict[str, dict[str, Any]]:
    """Return the figures of the real files, which other code worked out."""
    if not DATA.is_dir():
        return {}
    figures: dict[str, dict[str, Any]] = json.loads((DATA / "STATS.json").read_text())
    return figures


def write_lines(path: Path, *rows: object) -> Path:
    """Write JSON Lines: a row that is bytes goes in as it is."""
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def by_key(plan: Plan) -> dict[str, PlanTask]:
    """Return the tasks of *plan* by key."""
    return plan.tasks_by_key()


def edges_of(plan: Plan) -> list[tuple[str, str]]:
    """Return who waits for whom in *plan*."""
    return [(edge.task, edge.depends_on) for edge in plan.edges]


def states(plan: Plan) -> dict[str, tuple[str, str | None]]:
    """Return the status of each task of *plan*, and what holds it up."""
    return {task.key: (task.status.value, task.blocked_reason) for task in plan.tasks}


def refused(findings: Findings) -> list[str]:
    """Return what was refused, a line each."""
    return [finding.as_text() for finding in findings if finding.action is Action.REFUSED]


def changed(findings: Findings) -> list[str]:
    """Return what was changed, a line each."""
    return [finding.as_text() for finding in findings if finding.action is Action.CHANGED]
