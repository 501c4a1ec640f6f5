"""Logic shared by sync and async waiting: all but the waiting."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import orjson
from psycopg import Notify

from taskdb.database.settings import Settings
from taskdb.errors import DatabaseError

__all__ = [
    "DEADLINE_SECONDS",
    "POLL",
    "PROOF_SECONDS",
    "Backoff",
    "concerns",
    "logger",
    "no_proof",
    "pauses",
    "unheard",
]

logger = logging.getLogger("taskdb.events")

POLL: Final = timedelta(seconds=5)
"""Interval of looks without a wake-up: they see what time causes, and what psql writes."""
# A waiting session proves that it would be woken this often, each time within the deadline.
PROOF_SECONDS: Final = 20.0
DEADLINE_SECONDS: Final = 5.0
# Looks after the first: whoever asked whether somebody waits just before, commits meanwhile.
_SECOND_LOOKS: Final = (0.05, 0.25)
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0


class Backoff:
    """Pauses between attempts that fail: random, doubled with each, a minute at most."""

    def __init__(self, longest: float = _LONGEST_PAUSE) -> None:
        self._longest = longest
        self._next = _FIRST_PAUSE
        self._until = 0.0

    @property
    def lasts(self) -> bool:
        """Return whether the pause is not over."""
        return time.monotonic() < self._until

    def begin(self) -> float:
        """Begin a pause; return its seconds."""
        pause = self._next * random.uniform(0.5, 1.0)
        self._next = min(self._longest, self._next * 2)
        self._until = time.monotonic() + pause
        return pause

    def end(self) -> None:
        """Begin with short pauses again: an attempt went well."""
        self._next, self._until = _FIRST_PAUSE, 0.0


def pauses(poll: timedelta) -> Iterator[float]:
    """Yield the seconds between looks of one who waits: two short ones, then about *poll*."""
    seconds = poll.total_seconds()
    yield from (pause for pause in _SECOND_LOOKS if pause < seconds)
    while True:
        # Not all workers of a fleet at once.
        yield seconds * random.uniform(0.8, 1.0)


def concerns(notification: Notify, agent_type: str | None) -> bool:
    """Return whether a notification of `awaited_types` is about tasks for agents of this type."""
    if notification.channel.startswith("taskdb.proof."):
        return False
    try:
        types = orjson.loads(notification.payload)
    except ValueError:
        # Somebody's own NOTIFY on this channel: a look costs little.
        return True
    return agent_type is None or not isinstance(types, list) or "" in types or agent_type in types


def unheard(settings: Settings) -> DatabaseError:
    """Return the error of a session that cannot listen, because its process is not its own."""
    return DatabaseError(
        f"{settings.place} is behind a pooler in transaction mode, which delivers no notifications",
        hint="Let workers connect past it, or poll: see docs/workers.md, Poolers",
    )


def no_proof(settings: Settings) -> DatabaseError:
    """Return the error of a session to which its own notification does not come."""
    return DatabaseError(
        f"{settings.place} does not deliver notifications within {DEADLINE_SECONDS:g} s",
        hint="A pooler in transaction mode delivers none: see docs/workers.md, Poolers",
    )
