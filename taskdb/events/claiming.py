# From taskdb/events/claiming_async.py by tools/sync.py (`make sync`): edit that.
"""Claiming with a wait: `taskdb.events.claim_next`.

`tools/sync.py` writes the synchronous form, `taskdb.events.claiming`.
"""

from __future__ import annotations

import time
from datetime import timedelta

from taskdb.database.pool import Database
from taskdb.events.hearing import pauses
from taskdb.events.waiting import Waiter
from taskdb.models.claims import Claim
from taskdb.queries import claims

__all__ = ["claim_next"]


def claim_next(
    database: Database,
    *,
    agent: str,
    agent_type: str | None,
    lease: timedelta,
    wait: timedelta,
    poll: timedelta,
) -> Claim | None:
    """Claim the next task, waiting for one if there is none."""

    def look() -> Claim | None:
        return database.retrying(
            lambda conn: claims.claim_next(conn, agent=agent, agent_type=agent_type, lease=lease)
        )

    deadline = time.monotonic() + wait.total_seconds()
    claim = look()
    if claim is not None or wait <= timedelta():
        return claim
    with Waiter(database.settings, agent_type) as waiter:
        looks = pauses(poll)
        while True:
            if waiter.start():
                looks = pauses(poll)
            claim = look()
            left = deadline - time.monotonic()
            if claim is not None or left <= 0:
                return claim
            waiter.heard(min(next(looks), left))
