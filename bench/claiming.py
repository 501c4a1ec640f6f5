"""Claiming: jobs that do nothing, claimed and completed by one worker or several.

A worker is a process of its own with its own connection, which works until its time is over or
the queue is empty. What was done, and in which time, is read from each one's own tables: from
the first claim to the last completion, so that starting up does not count. taskdb and pgbench
are here, procrastinate and pgqueuer in claiming_others.py.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from typing import Final, TypeAlias

from bench import WORKSPACE, Table, connected, named, query
from bench.pgbench import Pgbench
from taskdb.database import Connection, Database
from taskdb.models.claims import Claim
from taskdb.queries import claims
from taskdb.query import Query

WORKERS: Final = (1, 4)
BATCH: Final = 10
START_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Done:
    jobs: int
    seconds: float | None


@query
def empty_taskdb() -> None: ...


@query
def fill_taskdb(*, jobs: int) -> int: ...


@query
def vacuum_all() -> None: ...


@query
def taskdb_done() -> Done: ...


@query
def empty_procrastinate() -> None: ...


@query
def procrastinate_done() -> Done: ...


@query
def pgqueuer_done() -> Done: ...


@dataclass(frozen=True, slots=True)
class Work:
    """What one worker is told: where, as who, for how long."""

    url: str
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Round:
    """What one run is told: where, how many workers, for how long."""

    url: str
    workers: int
    seconds: float


Start: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Queue:
    """One way to work jobs off. *refill* leaves so many jobs and nothing else."""

    name: str
    does: str
    refill: Callable[[str, int], None]
    run: Callable[[Round], None]
    done: Query[[], Done]


def in_processes(work: Callable[[Work, Start], None], given: Round) -> None:
    """Let so many processes do *work*; when all are ready to start, they start."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(given.workers)
    with ProcessPoolExecutor(given.workers, context, _keep, (barrier,)) as pool:
        jobs = [Work(given.url, f"worker-{n}", given.seconds) for n in range(given.workers)]
        for finished in [pool.submit(_work, work, job) for job in jobs]:
            finished.result()


def _keep(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 -- a barrier can only be inherited
    _barrier = barrier


_barrier: Barrier


def _start() -> None:
    _barrier.wait(START_SECONDS)


def _work(work: Callable[[Work, Start], None], job: Work) -> None:
    try:
        work(job, _start)
    except BaseException:
        _barrier.abort()
        raise


def refill_taskdb(url: str, jobs: int) -> None:
    with connected(url) as conn:
        empty_taskdb(conn)
        fill_taskdb(conn, jobs=jobs)


def one_by_one(job: Work, start: Start) -> None:
    """Claim and complete, each statement a transaction by itself."""
    with connected(job.url) as conn:
        start()
        end = time.monotonic() + job.seconds
        while time.monotonic() < end:
            claim = claims.claim_next(conn, agent=job.name)
            if claim is None:
                break
            claims.complete(conn, task_id=claim.task_id, token=claim.token)


def through_the_pool(job: Work, start: Start) -> None:
    """Claim and complete as the demo's agent does: a checked connection and `retrying`."""
    with Database(job.url, workspace=WORKSPACE, pool_min=1, pool_max=1) as database:

        def step(conn: Connection) -> Claim | None:
            return claims.claim_next(conn, agent=job.name)

        start()
        end = time.monotonic() + job.seconds
        while time.monotonic() < end and (claim := database.retrying(step)):
            database.retrying(partial(_complete, claim))


def _complete(claim: Claim, conn: Connection) -> None:
    claims.complete(conn, task_id=claim.task_id, token=claim.token)


def ten_at_a_time(job: Work, start: Start) -> None:
    """Claim ten at once, and complete them in one pipeline."""
    with connected(job.url) as conn:
        start()
        end = time.monotonic() + job.seconds
        while time.monotonic() < end:
            batch = claims.claim_batch(conn, agent=job.name, limit=BATCH)
            if not batch:
                break
            ends = [{"task_id": claim.task_id, "token": claim.token} for claim in batch]
            claims.complete.batch(conn, ends)


def by_pgbench(pgbench: Pgbench, given: Round) -> None:
    """Claim and complete with the same two statements; an empty queue changes nothing."""
    script = f"{named(claims.claim_next)} \\aset\n{named(claims.complete, note='null')};"
    values = {"agent": "pgbench", "lease": "15 minutes", "task_id": UNKNOWN, "token": "0"}
    pgbench.run(script, values, seconds=given.seconds, clients=given.workers)


UNKNOWN: Final = "00000000-0000-0000-0000-000000000000"


def queues(pgbench: Pgbench) -> list[Queue]:
    """Return taskdb's ways and pgbench's; the first is what the others are compared with."""
    ours = [
        (
            "**taskdb**, `claim_next`, `complete`",
            "claim row, token, lease, history; 2 statements, 2 commits",
            partial(in_processes, one_by_one),
        ),
        (
            "**taskdb**, the same through `Database.retrying`",
            "the same; each in a transaction of a pooled connection: check, begin, commit, reset",
            partial(in_processes, through_the_pool),
        ),
        (
            f"**taskdb**, `claim_batch` and `complete.batch` of {BATCH}",
            f"the same; 2 round trips, 2 commits for {BATCH} jobs",
            partial(in_processes, ten_at_a_time),
        ),
        (
            "pgbench, taskdb's two statements: the ceiling",
            "the same as the first; nothing is decoded",
            partial(by_pgbench, pgbench),
        ),
    ]
    return [Queue(name, does, refill_taskdb, run, taskdb_done) for name, does, run in ours]


def table(compared: Sequence[Queue], url: str, *, jobs: int, seconds: float, rounds: int) -> Table:
    """Let each queue be worked off, in turns; return the best of each one's jobs per second.

    Whatever else the machine does only makes a run slower.
    """
    rates: dict[tuple[int, int], list[float]] = {}
    for _ in range(rounds):
        for workers in WORKERS:
            for number, queue in enumerate(compared):
                rate = _rate(queue, Round(url, workers, seconds), jobs)
                rates.setdefault((number, workers), []).append(rate)
    best = {place: max(found) for place, found in rates.items()}
    rows = [
        (
            queue.name,
            *(
                cell
                for workers in WORKERS
                for cell in (
                    f"{best[number, workers]:.0f}/s",
                    f"{best[number, workers] / best[0, workers]:.2f}",
                )
            ),
            queue.does,
        )
        for number, queue in enumerate(compared)
    ]
    counted = [f"{n} worker{'s' if n > 1 else ''}" for n in WORKERS]
    head = tuple(cell for count in counted for cell in (count, "ratio"))
    return Table(f"Claiming, {jobs:,} ready jobs", ("way", *head, "per job"), rows)


def _rate(queue: Queue, given: Round, jobs: int) -> float:
    queue.refill(given.url, jobs)
    with connected(given.url) as conn:
        vacuum_all(conn)
    queue.run(given)
    with connected(given.url) as conn:
        done = queue.done(conn)
    if not done.seconds:
        raise RuntimeError(f"{queue.name} completed no job")
    return done.jobs / done.seconds
