"""Claiming with procrastinate and pgqueuer, which `make bench` installs, through their own workers.

Both are set up as their documentation recommends: procrastinate with its `PsycopgConnector`,
pgqueuer with one asyncpg connection a worker, uvloop (as its command line has it) and the
settings of `pgq autovac`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode
from procrastinate import App, PsycopgConnector

from bench import connected
from bench.claiming import (
    BATCH,
    Queue,
    Start,
    Work,
    empty_procrastinate,
    in_processes,
    pgqueuer_done,
    procrastinate_done,
)


def prepare(url: str) -> None:
    """Make the tables of both."""
    asyncio.run(_install_procrastinate(url))
    uvloop.run(_install_pgqueuer(url))


def queues() -> list[Queue]:
    """Return the ways to use each of the two."""
    return [
        *(
            Queue(
                f"procrastinate, {name}",
                "worker and events by trigger; 2 statements, each in a transaction",
                refill_procrastinate,
                partial(in_processes, partial(work_procrastinate, concurrency)),
                procrastinate_done,
            )
            for name, concurrency in (("as it comes", 1), (f"`concurrency={BATCH}`", BATCH))
        ),
        *(
            Queue(
                f"pgqueuer, {name}",
                does,
                refill_pgqueuer,
                partial(in_processes, partial(work_pgqueuer, size)),
                pgqueuer_done,
            )
            for name, size, does in (
                (
                    "`batch_size=1`",
                    1,
                    "heartbeat, log; finished jobs are deleted; 2 statements, 2 commits",
                ),
                (
                    f"as it comes: `batch_size={BATCH}`",
                    BATCH,
                    f"the same; 2 statements, 2 commits for {BATCH} jobs",
                ),
            )
        ),
    ]


def _procrastinate(url: str) -> tuple[App, Any]:
    app = App(connector=PsycopgConnector(conninfo=url))

    async def noop() -> None:
        pass

    return app, app.task(name="noop")(noop)


async def _install_procrastinate(url: str) -> None:
    app, _ = _procrastinate(url)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


def refill_procrastinate(url: str, jobs: int) -> None:
    async def defer() -> None:
        app, task = _procrastinate(url)
        async with app.open_async():
            await task.batch_defer_async(*[{} for _ in range(jobs)])

    with connected(url) as conn:
        empty_procrastinate(conn)
    asyncio.run(defer())


def work_procrastinate(concurrency: int, job: Work, start: Start) -> None:
    async def work() -> None:
        app, _ = _procrastinate(job.url)
        async with app.open_async():
            start()
            worker = asyncio.create_task(
                app.run_worker_async(
                    name=job.name,
                    concurrency=concurrency,
                    wait=False,
                    install_signal_handlers=False,
                )
            )
            await asyncio.wait({worker}, timeout=job.seconds)
            worker.cancel()  # Its documented way to stop: what runs is finished.
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    asyncio.run(work())


@asynccontextmanager
async def _asyncpg(url: str) -> AsyncGenerator[Any]:
    conn = await asyncpg.connect(url)
    try:
        yield conn
    finally:
        await conn.close()


async def _install_pgqueuer(url: str) -> None:
    async with _asyncpg(url) as conn:
        queries = Queries.from_asyncpg_connection(conn)
        await queries.install()
        await queries.optimize_autovacuum()


def refill_pgqueuer(url: str, jobs: int) -> None:
    async def enqueue() -> None:
        async with _asyncpg(url) as conn:
            queries = Queries.from_asyncpg_connection(conn)
            await queries.clear_queue()
            await queries.clear_queue_log()
            await queries.enqueue(["noop"] * jobs, [None] * jobs, [0] * jobs)

    uvloop.run(enqueue())


def work_pgqueuer(batch_size: int, job: Work, start: Start) -> None:
    async def noop(job: Any) -> None:
        pass

    async def work() -> None:
        async with _asyncpg(job.url) as conn:
            pgq = PgQueuer.from_asyncpg_connection(conn)
            pgq.entrypoint("noop")(noop)
            start()
            worker = asyncio.create_task(
                pgq.run(batch_size=batch_size, mode=QueueExecutionMode.drain)
            )
            await asyncio.wait({worker}, timeout=job.seconds)
            pgq.shutdown.set()
            await worker

    uvloop.run(work())
