"""A worker whose `run` is broken off: its jobs end with it, and their tasks are given back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from taskdb import Database
from taskdb.database import connect
from taskdb.errors import DatabaseError
from taskdb.models import ClaimOutcome
from taskdb.queries import claims, tasks
from taskdb.worker import Job, Worker

PATIENCE = 30.0


def make(database: Database, *keys: str) -> None:
    with database.connection() as conn:
        for key in keys:
            tasks.create(conn, key=key, title=f"Task {key}")


def outcomes(database: Database, key: str) -> list[ClaimOutcome | None]:
    with database.connection() as conn:
        return [attempt.outcome for attempt in claims.list_for_task(conn, key)]


def sessions(database: Database) -> int:
    with database.connection() as conn:
        row = conn.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and backend_type = 'client backend'"
        ).fetchone()
    assert row
    return int(row[0])


class Handler:
    """It works on each task until it is cancelled."""

    def __init__(self, slots: int) -> None:
        self.begun = asyncio.Semaphore(0)
        self.slots = slots
        self.open: set[str] = set()

    async def __call__(self, job: Job) -> None:
        self.open.add(job.claim.key)
        self.begun.release()
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            self.open.remove(job.claim.key)

    async def all_busy(self) -> None:
        for _ in range(self.slots):
            await self.begun.acquire()


async def broken_off(running: asyncio.Task[Any]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE)


@pytest.mark.slow
@pytest.mark.parametrize("is_draining", [False, True], ids=["working", "draining"])
async def test_cancelled_worker_gives_its_tasks_back(database: Database, is_draining: bool) -> None:
    make(database, "A", "B", "C")
    handler = Handler(slots=2)
    worker = Worker(database, handler, agent="w", concurrency=2)
    others = asyncio.all_tasks()
    before = sessions(database)
    running = asyncio.ensure_future(worker.run())
    await handler.all_busy()
    if is_draining:
        worker.stop()
        await asyncio.sleep(0)

    await broken_off(running)

    assert handler.open == set()
    assert asyncio.all_tasks() == others
    assert outcomes(database, "A") == outcomes(database, "B") == [ClaimOutcome.RELEASED]
    assert outcomes(database, "C") == []
    assert sessions(database) == before


async def test_cancelled_worker_that_waits_leaves_nothing_running(database: Database) -> None:
    waiting = asyncio.Event()
    worker = Worker(database, Handler(0), agent="w", on_idle=lambda _: waiting.set())
    others = asyncio.all_tasks()
    running = asyncio.ensure_future(worker.run())
    await waiting.wait()
    await asyncio.sleep(0.01)

    await broken_off(running)

    assert asyncio.all_tasks() == others


@pytest.mark.slow
async def test_worker_that_may_claim_no_more_ends_when_its_jobs_have(
    database: Database, database_url: str
) -> None:
    make(database, "A")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> None:
        begun.set()
        await go_on.wait()

    poll = timedelta(milliseconds=20)
    worker = Worker(database, handle, agent="w", concurrency=2, poll=poll)
    running = asyncio.ensure_future(worker.run())
    await begun.wait()
    with connect(database_url, autocommit=True) as owner:
        owner.execute("alter function claim_tasks rename to claim_tasks_no_more")
        async with asyncio.timeout(PATIENCE):
            while not vars(worker)["_stopping"]:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        is_broken_off = running.done()
        go_on.set()
        with pytest.raises(DatabaseError):
            await asyncio.wait_for(running, PATIENCE)
        owner.execute("alter function claim_tasks_no_more rename to claim_tasks")

    assert not is_broken_off
    assert outcomes(database, "A") == [ClaimOutcome.COMPLETED]
