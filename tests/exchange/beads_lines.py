"""Lines of a beads file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taskdb.exchange.plan import Plan

Read = Callable[..., Plan]


def issue(number: object, **values: Any) -> dict[str, Any]:
    return {
        "id": f"bd-{number}",
        "title": f"Issue {number}",
        "status": "open",
        "issue_type": "task",
        "priority": 2,
        "created_at": "2025-10-16T14:22:38.123456789-07:00",
        **values,
    }


def on(target: str, kind: str = "blocks", owner: object = None, **more: Any) -> dict[str, Any]:
    return {"issue_id": owner, "depends_on_id": target, "type": kind, **more}


def waits(plan: Plan) -> list[tuple[str, str]]:
    return [(edge.task, edge.depends_on) for edge in plan.waits]


def child(number: object, parent: object, **values: Any) -> dict[str, Any]:
    return issue(number, parent=f"bd-{parent}", **values)
