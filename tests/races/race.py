"""A race: what is there before, what two sessions do, and what holds in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import IsolationLevel

from taskdb.models import Claim
from tests.interleave import LEVELS

Connection: TypeAlias = psycopg.Connection[Any]
# The two sessions' knowledge: tasks by key, and the claims on them.
Given: TypeAlias = dict[str, Claim]
Act: TypeAlias = Callable[[Connection, Given], Any]


@dataclass(frozen=True)
class Race:
    """*first* commits; *second* waits for it, or began before it committed."""

    name: str
    given: Callable[[Connection], Given | None]
    first: Act
    second: Act
    # The state in the end.
    then: Callable[[Connection], bool]
    # The second session's error in the end; None: it succeeds.
    loser: type[Exception] | tuple[type[Exception], ...] | None = None
    # True if it waits for a first one that has not committed yet.
    waits: bool = True
    # Sessions that change a pause are READ COMMITTED, as no other may.
    pauser: str = ""

    def is_for(self, first: IsolationLevel, second: IsolationLevel) -> bool:
        level = {"first": first, "second": second}.get(self.pauser, LEVELS[0])
        return level == LEVELS[0]

    def pair_of(self, level: IsolationLevel) -> tuple[IsolationLevel, IsolationLevel]:
        """Return the levels of both sessions, where *level* is wanted for each that may have it."""
        first, second = (LEVELS[0] if self.pauser == who else level for who in ("first", "second"))
        return first, second

    def begin(self, conn: Connection) -> Given:
        return self.given(conn) or {}

    def holds(self, conn: Connection, given: Given) -> bool:
        return self.then(conn)


PAIRS = [(first, second) for first in LEVELS for second in LEVELS]


def pair_name(pair: tuple[IsolationLevel, IsolationLevel]) -> str:
    return "-".join("".join(word[0] for word in level.name.split("_")) for level in pair)
