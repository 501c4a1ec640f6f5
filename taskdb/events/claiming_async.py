"""Claiming with a wait: `taskdb.events.claim_next`.

`tools/sync.py` writes the synchronous form, `taskdb.events.claiming`.
"""

from __future__ import annotations

import time
from datetime import timedelta

from taskdb.database.pool_async import AsyncDatabase
from taskdb.events.hearing import pauses
from taskdb.events.waiting_async import AsyncWaiter
from taskdb.models.claims import Claim
from taskdb.queries import claims

__all__ = ["claim_next_async"]


async def claim_next_async(
    database: AsyncDatabase,
    *,
    agent: str,
    agent_type: str | None,
    lease: timedelta,
    wait: timedelta,
    poll: timedelta,
) -> Claim | None:
    """Claim the next task, waiting for one if there is none."""

    async def look() -> Claim | None:
        return await database.retrying(
            lambda conn: claims.claim_next(conn, agent=agent, agent_type=agent_type, lease=lease)
        )

    deadline = time.monotonic() + wait.total_seconds()
    claim = await look()
    if claim is not None or wait <= timedelta():
        return claim
    async with AsyncWaiter(database.settings, agent_type) as waiter:
        looks = pauses(poll)
        while True:
            if await waiter.start():
                looks = pauses(poll)
            claim = await look()
            left = deadline - time.monotonic()
            if claim is not None or left <= 0:
                return claim
            await waiter.heard(min(next(looks), left))
