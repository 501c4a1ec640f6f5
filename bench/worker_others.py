"""A worker of procrastinate, pgqueuer or awa: `bench.worker_others WAY URL NAME SIZE`.

Each is set up as its documentation recommends: procrastinate with its `PsycopgConnector`,
pgqueuer with one asyncpg connection a worker, uvloop (as its command line has it) and the settings
of `pgq autovac`, awa with its queue storage. *SIZE* is how many jobs a worker may have at once:
procrastinate's concurrency, pgqueuer's batch size, awa's workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import awa
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode
from procrastinate import App, PsycopgConnector

from bench import connected, query


@query(file="others")
def empty_procrastinate() -> None: ...


@query(file="others")
def procrastinate_done() -> int: ...


@query(file="others")
def pgqueuer_done() -> int: ...


@query(file="others")
def awa_done() -> int: ...


async def started() -> float:
    """Tell the bench that this worker is ready; return for how many seconds it works."""
    print("ready", flush=True)
    return float(await asyncio.to_thread(input))


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


async def work_procrastinate(url: str, name: str, size: int) -> None:
    app, _ = _procrastinate(url)
    async with app.open_async():
        seconds = await started()
        worker = asyncio.create_task(
            app.run_worker_async(
                name=name, concurrency=size, wait=False, install_signal_handlers=False
            )
        )
        await asyncio.wait({worker}, timeout=seconds)
        worker.cancel()  # Its documented way to stop: what runs is finished.
        with contextlib.suppress(asyncio.CancelledError):
            await worker


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


async def work_pgqueuer(url: str, name: str, size: int) -> None:
    async def noop(job: Any) -> None:
        pass

    async with _asyncpg(url) as conn:
        pgq = PgQueuer.from_asyncpg_connection(conn)
        pgq.entrypoint("noop")(noop)
        seconds = await started()
        worker = asyncio.create_task(pgq.run(batch_size=size, mode=QueueExecutionMode.drain))
        await asyncio.wait({worker}, timeout=seconds)
        pgq.shutdown.set()
        await worker


@dataclass
class Noop:
    """A job of awa's: its arguments are an object of a class."""


def _awa(url: str) -> Any:
    # It refuses a URL without a host, and then goes by the socket all the same.
    return awa.AsyncClient(url.replace("@/", "@localhost/", 1))


async def _install_awa(url: str) -> None:
    async with _awa(url) as client:
        await client.migrate()


def refill_awa(url: str, jobs: int) -> None:
    async def enqueue() -> None:
        async with _awa(url) as client:
            await client.install_queue_storage(reset=True)
            await client.enqueue_many_copy([Noop() for _ in range(jobs)], queue="bench")

    asyncio.run(enqueue())


async def work_awa(url: str, name: str, size: int) -> None:
    async def noop(job: Any) -> None:
        pass

    async with _awa(url) as client:
        client.task(Noop, queue="bench")(noop)
        seconds = await started()
        await client.start([("bench", size)])
        await asyncio.sleep(seconds)
        await client.shutdown()


def prepare(url: str) -> None:
    """Make the tables of all."""
    asyncio.run(_install_procrastinate(url))
    uvloop.run(_install_pgqueuer(url))
    asyncio.run(_install_awa(url))


WAYS: Final[dict[str, Callable[[str, str, int], Coroutine[Any, Any, None]]]] = {
    "procrastinate": work_procrastinate,
    "pgqueuer": work_pgqueuer,
    "awa": work_awa,
}


def main(way: str, url: str, name: str, size: str) -> None:
    """Work as told."""
    run = uvloop.run if way == "pgqueuer" else asyncio.run
    run(WAYS[way](url, name, int(size)))


if __name__ == "__main__":
    main(*sys.argv[1:])
