"""Races of inherited priorities."""

from __future__ import annotations

from tests.races.acts import (
    adds,
    both_of,
    cancelled,
    deletes,
    moves,
    prioritises,
    ranked,
    removes,
    urgent,
)
from tests.races.race import Race

PRIORITIES = [
    Race(
        "both that a task inherits from cancelled",
        ranked("u>n w>n", n=9, u=1, w=1),
        moves("u", "cancelled"),
        moves("w", "cancelled"),
        urgent(n=9),
    ),
    Race(
        "a dependent cancelled, another one made more urgent",
        ranked("u>n w>n", n=9, u=5, w=2),
        moves("w", "cancelled"),
        prioritises("u", 3),
        urgent(n=3),
    ),
    Race(
        "a dependent made more urgent, another one cancelled",
        ranked("u>n w>n", n=9, u=5, w=2),
        prioritises("u", 3),
        moves("w", "cancelled"),
        urgent(n=3),
    ),
    Race(
        "an edge of a dependent removed, another one made more urgent",
        ranked("u>n w>n", n=9, u=5, w=2),
        removes("w>n"),
        prioritises("u", 3),
        urgent(n=3),
    ),
    Race(
        "a task made less urgent than its dependent, and so is that",
        ranked("u>n", n=3, u=3),
        prioritises("n", 8),
        prioritises("u", 7),
        urgent(n=7),
    ),
    Race(
        "an edge added below, priority inherited from above",
        ranked("u>t", s=9, t=9, u=5),
        adds("t>s"),
        prioritises("u", 1),
        urgent(s=1, t=1),
    ),
    Race(
        "priority inherited from above, an edge added below",
        ranked("u>t", s=9, t=9, u=5),
        prioritises("u", 1),
        adds("t>s"),
        urgent(s=1, t=1),
    ),
    Race(
        "two edges that meet, priority inherited through both",
        ranked("", n=9, t=7, u=2),
        adds("t>n"),
        adds("u>t"),
        urgent(n=2, t=2),
    ),
    Race(
        "two edges into one task, the less urgent last",
        ranked("", n=9, t=7, u=2),
        adds("u>n"),
        adds("t>n"),
        urgent(n=2),
    ),
    Race(
        "an edge added, its dependent made less urgent",
        ranked("", n=9, u=2),
        adds("u>n"),
        prioritises("u", 8),
        urgent(n=8),
    ),
    Race(
        "a task made less urgent, an edge out of what it waits for added",
        ranked("u>t", s=9, t=9, u=2),
        prioritises("u", 8),
        adds("t>s"),
        urgent(s=8, t=8),
    ),
    Race(
        "an edge out of what a task waits for added, that task made less urgent",
        ranked("u>t", s=9, t=9, u=2),
        adds("t>s"),
        prioritises("u", 8),
        urgent(s=8, t=8),
    ),
    Race(
        "an edge removed, the other dependent cancelled",
        ranked("u>n w>n", n=9, u=1, w=1),
        removes("u>n"),
        moves("w", "cancelled"),
        urgent(n=9),
    ),
    Race(
        "a dependent cancelled, the edge of the other one removed",
        ranked("u>n w>n", n=9, u=1, w=1),
        moves("w", "cancelled"),
        removes("u>n"),
        urgent(n=9),
    ),
    Race(
        "an edge removed, what waits above it cancelled",
        ranked("u>t t>n w>n", n=9, t=9, u=1, w=4),
        removes("t>n"),
        moves("u", "cancelled"),
        urgent(n=4, t=9),
    ),
    Race(
        "a dependent taken up again, another one deleted",
        both_of(ranked("u>n w>n", n=9, u=3, w=1), cancelled("u")),
        moves("u", "pending", force=True),
        deletes("w"),
        urgent(n=3),
    ),
    Race(
        "a task cancelled, an edge out of it added",
        ranked("", n=9, u=1),
        moves("u", "cancelled"),
        adds("u>n"),
        urgent(n=9),
    ),
]
