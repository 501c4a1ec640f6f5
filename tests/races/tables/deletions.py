"""Races with deleted tasks."""

from __future__ import annotations

from taskdb.errors import IntegrityError, NotFoundError
from tests.races.acts import FREE, adds, adds_one, deletes, finishes, plan, stands
from tests.races.race import Race

DELETIONS = [
    Race(
        "a blocker deleted, and completed",
        plan("a", "t", edges="t>a"),
        deletes("a"),
        finishes("a"),
        stands(t=FREE),
        NotFoundError,
    ),
    Race(
        "a blocker completed, and deleted",
        plan("a", "t", edges="t>a"),
        finishes("a"),
        deletes("a"),
        stands(t=FREE),
    ),
    Race(
        "one blocker deleted, the other completed",
        plan("a", "b", "t", edges="t>a t>b"),
        deletes("a"),
        finishes("b"),
        stands(t=FREE),
    ),
    Race(
        "one blocker completed, the other deleted",
        plan("a", "b", "t", edges="t>a t>b"),
        finishes("a"),
        deletes("b"),
        stands(t=FREE),
    ),
    Race(
        "a task deleted, an edge to it added",
        plan("a", "t"),
        deletes("a"),
        adds_one("t>a"),
        stands(t=FREE),
        (NotFoundError, IntegrityError),
    ),
    Race(
        "an edge added, its blocker deleted",
        plan("a", "t"),
        adds("t>a"),
        deletes("a"),
        stands(t=FREE),
    ),
    Race(
        "what waits deleted, its blocker completed",
        plan("a", "t", edges="t>a"),
        deletes("t"),
        finishes("a"),
        stands(a="completed"),
    ),
]
