"""A process that completes tasks as fast as it can: `tests.workers.crew WAY URL NAME`.

It connects, prints "ready", reads for how many seconds to work, and works until they are over.
"""

from __future__ import annotations

import asyncio
import sys
import time

from taskdb.database import Database, connect
from taskdb.queries import claims
from taskdb.worker import Job, Worker


def seconds() -> float:
    print("ready", flush=True)
    return float(input())


def bare(url: str, name: str) -> None:
    """Claim and complete, each statement a transaction by itself."""
    with connect(url, autocommit=True) as conn:
        end = seconds() + time.monotonic()
        while time.monotonic() < end and (claim := claims.claim_next(conn, agent=name)):
            claims.complete(conn, task_id=claim.task_id, token=claim.token)


def chained(url: str, name: str) -> None:
    """Complete and claim the next in one statement, as a worker does."""
    with connect(url, autocommit=True) as conn:
        end = seconds() + time.monotonic()
        claim = claims.claim_next(conn, agent=name)
        while time.monotonic() < end and claim is not None:
            claim = claims.complete_and_claim_next(
                conn, task_id=claim.task_id, token=claim.token, agent=name
            ).claim


def worker(url: str, name: str) -> None:
    """Run a worker whose handler does nothing."""

    async def handle(job: Job) -> None: ...

    async def run() -> None:
        made = Worker(Database(url), handle, agent=name)
        asyncio.get_running_loop().call_later(seconds(), made.stop)
        await made.run()

    asyncio.run(run())


WAYS = {"bare": bare, "chained": chained, "worker": worker}

if __name__ == "__main__":
    WAYS[sys.argv[1]](*sys.argv[2:])
