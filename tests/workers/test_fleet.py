"""Many workers at once: what they cost while idle, and how soon they start what became ready."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import suppress
from datetime import timedelta

import pytest

from taskdb import Database
from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.database.connections_async import AsyncGuardedConnection
from taskdb.models import NewDependency, NewTask
from taskdb.queries import tasks
from taskdb.worker import Job, Worker

TASKS = 200
WORKERS = 4
# From a blocker's completion to the start of the dependent's claim, by the server's clock.
LATENCIES = """
    select extract(epoch from started.created_at - opened.created_at)::float8 * 1000
    from task_history as opened
    inner join task_history as started
        on started.task_id = opened.task_id and started.seq = opened.seq + 1
    where opened.old_status = 'blocked' and opened.new_status = 'pending'
        and started.new_status = 'in_progress'
"""


async def work_off(database: Database, poll: timedelta) -> list[float]:
    """Have four workers do chains of tasks; return the waits of dependents in milliseconds."""
    with database.connection() as conn:
        tasks.create_many(
            conn,
            [NewTask(key=f"T-{n}", title="one") for n in range(TASKS)],
            [NewDependency(task=f"T-{n}", depends_on=f"T-{n - 4}") for n in range(4, TASKS)],
        )
    left = TASKS
    over = asyncio.Event()

    async def handle(job: Job) -> None:
        nonlocal left
        await asyncio.sleep(0.005)
        left -= 1
        if left == 0:
            over.set()

    workers = [Worker(database, handle, agent=f"w-{n}", poll=poll) for n in range(WORKERS)]
    running = [asyncio.ensure_future(worker.run()) for worker in workers]
    await over.wait()
    for worker in workers:
        worker.stop()
    await asyncio.gather(*running)
    with connect(database.settings.conninfo) as conn:
        assert doctor.run(conn) == []
        repeated = conn.execute(
            "select count(*) from task_history where outcome = 'completed'"
            " group by task_id having count(*) > 1"
        ).fetchall()
        assert repeated == []
        return [row[0] for row in conn.execute(LATENCIES).fetchall()]


async def test_dependents_start_without_a_poll(database_url: str) -> None:
    with Database(database_url) as database:
        waits = await work_off(database, poll=timedelta(hours=1))

    assert len(waits) == TASKS - WORKERS


@pytest.mark.timing
async def test_dependents_start_within_twenty_milliseconds(database_url: str) -> None:
    with Database(database_url) as database:
        waits = await work_off(database, poll=timedelta(hours=1))

    print(f"median {statistics.median(waits):.1f} ms, the longest {max(waits):.1f} ms")
    assert statistics.median(waits) < 20


@pytest.mark.timing
async def test_dependents_start_within_the_poll_interval_without_notifications(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: object) -> bool:
        return False

    monkeypatch.setattr("taskdb.events.waiting_async.AsyncWaiter.start", never)
    with Database(database_url) as database:
        waits = await work_off(database, poll=timedelta(seconds=1))

    print(f"median {statistics.median(waits):.1f} ms, the longest {max(waits):.1f} ms")
    assert statistics.median(waits) < 1_000


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
