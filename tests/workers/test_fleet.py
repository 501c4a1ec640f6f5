"""Many workers at once: what they cost while idle, and how soon they start what became ready."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest

from taskdb import Database
from taskdb.database import connect
from taskdb.database.connections_async import AsyncGuardedConnection
from taskdb.events.waiting_async import AsyncWaiter
from taskdb.models import NewDependency, NewTask
from taskdb.queries import tasks
from taskdb.worker import Job, Worker
from tests.workers.outcome import settled

PATIENCE = 120.0
WORKERS = 4
BLOCKS = 40
# A worker looks twice more after it found nothing; later only a notification wakes it.
SECOND_LOOKS_SECONDS = 0.5
# From a blocker's completion to the start of the dependent's claim, by the server's clock.
LATENCIES = """
    select task.key, (extract(epoch from started.created_at - opened.created_at) * 1000)::float8
    from task_history as opened
    inner join task_history as started
        on started.task_id = opened.task_id and started.seq = opened.seq + 1
    inner join tasks as task on task.id = opened.task_id
    where opened.old_status = 'blocked' and opened.new_status = 'pending'
        and started.new_status = 'in_progress'
"""


def plan(blocks: int) -> tuple[list[NewTask], list[NewDependency]]:
    """Return blocks of five tasks: one opens four, and these four open the next block."""
    heads = [f"T-{n}" for n in range(blocks)]
    edges = [
        edge
        for n in range(blocks)
        for leaf in leaves(n)
        for edge in (
            NewDependency(task=leaf, depends_on=heads[n]),
            *(NewDependency(task=head, depends_on=leaf) for head in heads[n + 1 : n + 2]),
        )
    ]
    keys = [*heads, *(leaf for n in range(blocks) for leaf in leaves(n))]
    return [NewTask(key=key, title="one") for key in keys], edges


def leaves(block: int) -> list[str]:
    return [f"T-{block}-{n}" for n in range(WORKERS)]


@dataclass
class Waits:
    """Milliseconds from completion to start: of all dependents, and of those that were woken.

    Whoever completes the first task of a block has the first of its dependents in the same
    statement: the other three are started by workers that waited.
    """

    all: list[float]
    woken: list[float]

    def __str__(self) -> str:
        return (
            f"median {statistics.median(self.all):.1f} ms, of those woken"
            f" {statistics.median(self.woken):.1f} ms, the longest {max(self.all):.1f} ms"
        )


async def work_off(
    database: Database, poll: timedelta, *, blocks: int = BLOCKS, slow_blocks: int = 0
) -> Waits:
    """Have four workers do the plan; return how long its dependents waited.

    The four dependents of a block wait for each other, so that all workers must come. In the
    first *slow_blocks* they come when three of them wait since long.
    """
    with database.connection() as conn:
        tasks.create_many(conn, *plan(blocks))
    left = 5 * blocks
    together = asyncio.Barrier(WORKERS)
    over = asyncio.Event()

    async def handle(job: Job) -> None:
        nonlocal left
        _, block, *leaf = job.claim.key.split("-")
        if leaf:
            await together.wait()
        elif int(block) < slow_blocks:
            await asyncio.sleep(SECOND_LOOKS_SECONDS)
        left -= 1
        if left == 0:
            over.set()

    workers = [Worker(database, handle, agent=f"w-{n}", poll=poll) for n in range(WORKERS)]
    running = [asyncio.ensure_future(worker.run()) for worker in workers]
    async with asyncio.timeout(PATIENCE):
        await over.wait()
    for worker in workers:
        worker.stop()
    await asyncio.gather(*running)
    settled(database.settings.conninfo)
    with connect(database.settings.conninfo) as conn:
        by_key: dict[str, float] = dict(conn.execute(LATENCIES).fetchall())
    assert len(by_key) == 5 * blocks - 1
    woken = [wait for n in range(blocks) for wait in sorted(by_key[key] for key in leaves(n))[1:]]
    return Waits(list(by_key.values()), woken)


async def test_dependents_start_without_a_poll(database_url: str) -> None:
    with Database(database_url) as database:
        await work_off(database, timedelta(hours=1), blocks=10, slow_blocks=2)


@pytest.mark.slow
async def test_dependents_start_by_polls_where_nothing_wakes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsyncWaiter, "start", never)
    with Database(database_url) as database:
        await work_off(database, timedelta(milliseconds=50), blocks=4)


async def never(self: object) -> bool:
    return False


@pytest.mark.timing
async def test_dependents_start_within_twenty_milliseconds(database_url: str) -> None:
    with Database(database_url) as database:
        waits = await work_off(database, timedelta(hours=1))

    print(waits)
    assert statistics.median(waits.all) < 20
    assert statistics.median(waits.woken) < 20


@pytest.mark.timing
async def test_dependents_start_within_the_poll_interval_without_notifications(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsyncWaiter, "start", never)
    with Database(database_url) as database:
        waits = await work_off(database, timedelta(seconds=1))

    print(waits)
    assert statistics.median(waits.all) < 1_000
    assert statistics.median(waits.woken) < 1_000


class Clock:
    """Counts what a fleet sends."""

    def __init__(self) -> None:
        self.sent = 0


async def idle(
    database: Database, monkeypatch: pytest.MonkeyPatch, workers: int, for_: float
) -> int:
    """Let workers find nothing for *for_* seconds; return the statements sent after the start."""
    clock = Clock()
    wait = AsyncGuardedConnection.wait

    async def counted(self: AsyncGuardedConnection, gen, *args, **named):  # type: ignore[no-untyped-def]
        # Waiting for a notification sends nothing.
        clock.sent += "notifies" not in getattr(gen, "__name__", "")
        return await wait(self, gen, *args, **named)

    async def handle(job: Job) -> None: ...

    monkeypatch.setattr(AsyncGuardedConnection, "wait", counted)
    fleet = [Worker(database, handle, agent=f"w-{n}") for n in range(workers)]
    running = [asyncio.ensure_future(worker.run()) for worker in fleet]
    await asyncio.sleep(2.0 + workers / 10)
    clock.sent = 0
    await asyncio.sleep(for_)
    sent = clock.sent
    for worker in fleet:
        worker.stop()
    await asyncio.gather(*running)
    return sent


@pytest.mark.slow
async def test_idle_worker_sends_less_than_a_statement_a_second(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database(database_url) as database:
        sent = await idle(database, monkeypatch, workers=3, for_=6.0)

    assert 0 < sent <= 3 * 6


@pytest.mark.timing
async def test_fifty_idle_workers_cost_little(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = 0.0

    async def watch() -> None:
        nonlocal oldest
        with connect(database_url, autocommit=True) as conn:
            while True:
                row = conn.execute(
                    "select coalesce(max(extract(epoch from now() - xact_start)), 0)::float8"
                    " from pg_stat_activity where pid <> pg_backend_pid()"
                    " and datname = current_database()"
                ).fetchone()
                oldest = max(oldest, row[0] if row else 0.0)
                await asyncio.sleep(0.5)

    with Database(database_url) as database:
        watching = asyncio.ensure_future(watch())
        sent = await idle(database, monkeypatch, workers=50, for_=60.0)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    print(f"{sent / 60:.1f} statements a second, the oldest transaction {oldest:.2f} s")
    assert sent < 60 * 60
    assert oldest < 1.0
