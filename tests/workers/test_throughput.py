"""Throughput of a worker whose handler does nothing, beside a loop of claim and complete."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import defaultdict
from typing import Any

import pytest

from taskdb import Database
from taskdb.database import connect
from taskdb.database.connections_async import AsyncGuardedConnection
from taskdb.models import NewTask
from taskdb.queries import tasks
from taskdb.worker import Job, Worker
from tests.workers.outcome import settled

PROCESSES = 4
SECONDS = 2.0
ROUNDS = 3
TASKS = 8_000


@pytest.mark.parametrize("in_thread", [False, True])
async def test_worker_sends_one_statement_for_each_task(
    database_url: str, in_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    wait = AsyncGuardedConnection.wait

    async def counted(self: AsyncGuardedConnection, gen: Any, *args: Any, **named: Any) -> Any:
        sent.append(gen.__name__)
        return await wait(self, gen, *args, **named)

    def handle(job: Job) -> None: ...

    async def handle_on_the_loop(job: Job) -> None: ...

    with connect(database_url) as conn:
        tasks.create_many(conn, [NewTask(key=f"T-{n}", title="one") for n in range(100)])
    handler = handle if in_thread else handle_on_the_loop
    worker = Worker(Database(database_url), handler, agent="w", on_idle=Worker.stop)
    monkeypatch.setattr(AsyncGuardedConnection, "wait", counted)
    await worker.run()

    settled(database_url)
    # The rest: it connects, claims the first, and finds nothing at last.
    assert 100 <= len(sent) <= 120, sent


def completed_by(way: str, url: str) -> int:
    """Let processes work for some seconds; return how many tasks they completed."""
    with connect(url, autocommit=True) as conn:
        conn.execute("delete from tasks")
        conn.execute("vacuum analyze tasks")
        tasks.create_many(conn, [NewTask(key=f"T-{n}", title="one") for n in range(TASKS)])
        crew = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.workers.crew", way, url, f"{way}-{number}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(PROCESSES)
        ]
        for process in crew:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in crew:
            assert process.stdin is not None
            process.stdin.write(f"{SECONDS}\n")
            process.stdin.flush()
        for process in crew:
            process.communicate()
            assert process.returncode == 0
        row = conn.execute("select count(*) from tasks where status = 'completed'").fetchone()
        assert row is not None
        assert row[0] < TASKS
        return int(row[0])


@pytest.mark.timing
def test_worker_completes_four_fifths_of_what_a_bare_loop_does(database_url: str) -> None:
    rates: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for way in ("bare", "worker", "chained"):
            rates[way].append(completed_by(way, database_url) / SECONDS)
    bare, worker, chained = (statistics.median(rates[way]) for way in ("bare", "worker", "chained"))

    print(f"a second: claim and complete {bare:.0f}, worker {worker:.0f}, chained {chained:.0f}")
    assert worker >= 0.8 * bare
