"""A server that is stopped or killed, and started again, while clients write and workers work."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from psycopg import OperationalError

from taskdb import Database
from taskdb.database import connect
from taskdb.embedded import Server
from taskdb.errors import DatabaseNotFoundError
from taskdb.models import ClaimOutcome
from taskdb.queries import tasks
from taskdb.worker import Job, Worker
from tests.waiting import wait_until
from tests.workers.outcome import settled

WRITERS = 3
WORKERS = 3
STOPS = 3


class Writer:
    """Creates tasks until it is told to end; `acknowledged` are those that were committed."""

    def __init__(self, url: str, name: str, over: threading.Event) -> None:
        self.url = url
        self.name = name
        self.over = over
        self.acknowledged: list[str] = []
        self.lost = 0

    def write(self) -> None:
        number = 0
        with Database(self.url, pool_min=1, pool_max=1) as database:
            while not self.over.is_set():
                number += 1
                key = f"{self.name}-{number}"
                try:
                    database.retrying(
                        lambda conn, key=key: tasks.create(conn, key=key, title="one")  # type: ignore[misc]
                    )
                except (OperationalError, DatabaseNotFoundError):
                    self.lost += 1
                    time.sleep(0.02)
                else:
                    self.acknowledged.append(key)


def work(url: str, written: threading.Event, done: Counter[str]) -> None:
    """Let workers work until nothing is left, once the writers have ended."""

    async def handle(job: Job) -> None:
        done[job.claim.key] += 1
        await asyncio.sleep(0.002)

    def end(worker: Worker) -> None:
        if written.is_set():
            worker.stop()

    async def run() -> None:
        database = Database(url)
        workers = [
            Worker(database, handle, agent=f"w-{n}", concurrency=2, on_idle=end)
            for n in range(WORKERS)
        ]
        await asyncio.gather(*(worker.run() for worker in workers))

    asyncio.run(run())


def stop(server: Server) -> None:
    server.stop()


def kill(server: Server) -> None:
    """Kill the main process: its children end by themselves, in the middle of their work."""
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server.status().running)


def quit(server: Server) -> None:
    """End every process at once, without a checkpoint."""
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: not server.status().running)


@pytest.mark.slow
@pytest.mark.parametrize("end", [stop, kill, quit], ids=lambda end: str(end.__name__))
def test_restart_under_load_loses_nothing_and_does_nothing_twice(
    server: Server, url: str, end: Callable[[Server], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskdb.events.hearing._FIRST_PAUSE", 0.05)
    over, written, done = threading.Event(), threading.Event(), Counter[str]()
    writers = [Writer(url, f"W{n}", over) for n in range(WRITERS)]

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        writing = [threads.submit(writer.write) for writer in writers]
        working = threads.submit(work, url, written, done)
        try:
            for round in range(1, STOPS + 1):
                wait_until(lambda: len(done) >= 20 * round)  # noqa: B023
                end(server)
                server.start()
            wait_until(lambda: len(done) >= 20 * (STOPS + 1))
        finally:
            over.set()
            wait(writing)
            written.set()
        for each in (*writing, working):
            each.result()

    acknowledged = {key for writer in writers for key in writer.acknowledged}
    with connect(url) as conn:
        there = {row[0] for row in conn.execute("select key from tasks").fetchall()}
    assert acknowledged <= there
    # One for each writer and stop can have been committed without an answer.
    assert len(there - acknowledged) <= WRITERS * STOPS
    assert done == Counter(there)
    assert settled(url) == Counter({ClaimOutcome.COMPLETED: len(there)})
