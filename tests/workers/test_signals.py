"""Signals: they stop every worker of a process, and are left as they were found."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from taskdb import Database
from taskdb.models import TaskStatus
from taskdb.queries import tasks
from taskdb.worker import Job, Worker


async def idle(job: Job) -> None: ...


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_stops_each_worker_of_the_process(
    database: Database, number: signal.Signals
) -> None:
    waiting = asyncio.Semaphore(0)
    before = signal.getsignal(number)
    workers = [
        Worker(database, idle, agent=name, on_idle=lambda _: waiting.release())
        for name in ("one", "two", "three")
    ]
    running = [asyncio.ensure_future(worker.run()) for worker in workers]
    for _ in workers:
        await waiting.acquire()
    # One that ended earlier leaves the signals to the others.
    workers[0].stop()
    await running[0]
    os.kill(os.getpid(), number)
    await asyncio.wait_for(asyncio.gather(*running), 30)

    assert signal.getsignal(number) == before


def test_worker_in_another_thread_leaves_the_signals_alone(database: Database) -> None:
    with database.connection() as conn:
        tasks.create(conn, key="A", title="one")
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    async def handle(job: Job) -> None:
        seen.append(signal.getsignal(signal.SIGTERM))

    worker = Worker(database, handle, agent="w", on_idle=Worker.stop)
    thread = threading.Thread(target=worker.serve)
    thread.start()
    thread.join(30)

    assert seen == [before]
    with database.connection() as conn:
        assert tasks.get_by_key(conn, "A").status == TaskStatus.COMPLETED


@pytest.mark.parametrize("on_loop", [True, False], ids=["on the loop", "of the process"])
async def test_signal_that_the_program_handles_is_left_to_it(
    database: Database, on_loop: bool
) -> None:
    """A web server in the same process ends by it; taken over, it would go on."""
    told, waiting = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    found = signal.getsignal(signal.SIGTERM)
    if on_loop:
        loop.add_signal_handler(signal.SIGTERM, told.set)
    else:
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(told.set))
    try:
        running = asyncio.ensure_future(
            Worker(database, idle, agent="w", on_idle=lambda _: waiting.set()).run()
        )
        await waiting.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(told.wait(), 30)
        assert not running.done()
        running.cancel()
        await asyncio.wait({running})
        told.clear()
        os.kill(os.getpid(), signal.SIGTERM)

        await asyncio.wait_for(told.wait(), 30)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, found)
