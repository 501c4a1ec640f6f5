"""Different tasks under one id: each but one gets a key of its own, and the plan has the map."""

from __future__ import annotations

from taskdb.exchange.plan import Plan

__all__ = ["new_key"]


def new_key(plan: Plan, key: str, where: str) -> str:
    """Return a key for another task under *key*, ``key~2`` or the next one, and note it."""
    plan.copies[key] += 1
    made = f"{key}~{plan.copies[key] + 1}"
    plan.renamed[made] = f"{key} at {where}"
    return made
