"""A task that another session keeps locked, and a server that is away: what does not wait."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from taskdb import Database
from taskdb.database import connect
from taskdb.models import ClaimOutcome
from taskdb.queries import claims, tasks
from taskdb.worker import Job, Worker

pytestmark = pytest.mark.slow

PATIENCE = 30.0
LEASE = timedelta(seconds=2)


def outcomes(database: Database, key: str) -> list[ClaimOutcome | None]:
    with database.connection() as conn:
        return [attempt.outcome for attempt in claims.list_for_task(conn, key)]


@pytest.mark.parametrize("ends", [True, False], ids=["which ends", "which goes on"])
async def test_locked_task_of_one_job_keeps_no_other_job_from_its_lease_and_its_end(
    database: Database, database_url: str, ends: bool
) -> None:
    with database.connection() as conn:
        for key in ("A", "B", "C"):
            tasks.create(conn, key=key, title=key)
    begun, locked, released = asyncio.Semaphore(0), asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> None:
        begun.release()
        await locked.wait()
        if job.claim.key == "A":
            await (asyncio.sleep(0) if ends else released.wait())
        else:
            job.progress(50)
            await asyncio.sleep(2 * LEASE.total_seconds())

    worker = Worker(database, handle, agent="w", concurrency=3, lease=LEASE)
    with connect(database_url) as other:
        running = asyncio.ensure_future(worker.run())
        for _ in range(3):
            await begun.acquire()
        other.execute("select from tasks where key = 'A' for update")
        # A worker that claims on would take A, whose lease is past, before its result is stored.
        worker.stop()
        locked.set()
        async with asyncio.timeout(PATIENCE):
            while None in outcomes(database, "B") + outcomes(database, "C"):
                await asyncio.sleep(0.05)
        unlocked = [outcomes(database, key) for key in ("A", "B", "C")]
        other.rollback()
    released.set()
    await asyncio.wait_for(running, PATIENCE)

    assert unlocked == [[None], [ClaimOutcome.COMPLETED], [ClaimOutcome.COMPLETED]]
    if ends:
        assert outcomes(database, "A") == [ClaimOutcome.COMPLETED]


async def test_worker_told_to_stop_while_the_server_is_away_stops() -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")

    async def handle(job: Job) -> None: ...

    worker = Worker(away, handle, agent="w")
    running = asyncio.ensure_future(worker.run())
    await asyncio.sleep(0.5)
    worker.stop()

    await asyncio.wait_for(running, 10)
