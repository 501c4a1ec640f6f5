"""Workers on a network and a server that fail: nothing lost, nothing done twice."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

import pytest
from psycopg import sql

from taskdb import Database
from taskdb.database import connect
from taskdb.models import ClaimOutcome, NewDependency, NewTask, TaskStatus
from taskdb.queries import tasks
from taskdb.worker import Job, Outcome, Retry, Submit, Worker
from tests.proxy import Fault, Proxy, has
from tests.tiers import first_of
from tests.workers.outcome import settled

PATIENCE = 60.0
HALF_A_SECOND = timedelta(seconds=0.5)


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers come back soon."""
    monkeypatch.setattr("taskdb.events.hearing._FIRST_PAUSE", 0.02)
    monkeypatch.setattr("taskdb.events.hearing._LONGEST_PAUSE", 0.1)
    monkeypatch.setattr("taskdb.worker.line._LONGEST_PAUSE", 0.1)


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.005)


def make(url: str, count: int) -> list[str]:
    keys = [f"T-{number}" for number in range(count)]
    edges = [NewDependency(task=keys[n], depends_on=keys[n // 2]) for n in range(1, count)]
    with connect(url) as conn:
        tasks.create_many(conn, [NewTask(key=key, title="one") for key in keys], edges)
    return keys


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("how", first_of(["cut", "reset", "stall"]))
@pytest.mark.parametrize("when", first_of(["after", "before"]))
async def test_worker_on_a_failing_network_does_each_task_once(
    url: str, when: Literal["before", "after"], how: Literal["cut", "reset", "stall"]
) -> None:
    keys = make(url, 12)
    done: Counter[str] = Counter()

    async def handle(job: Job) -> Outcome:
        done[job.claim.key] += 1
        return f"done {job.claim.key}"

    # Claims and completions as text, and prepared.
    is_statement, seen = has(b"claim", b"_pg3_"), itertools.count()

    def every_second(number: int, data: bytes) -> bool:
        return is_statement(number, data) and next(seen) % 2 == 0

    with Proxy(url, *[Fault(every_second, when, how) for _ in range(12)]) as proxy:
        database = Database(proxy.url, statement_timeout=HALF_A_SECOND)
        worker = Worker(database, handle, agent="w", on_idle=Worker.stop)
        async with asyncio.timeout(PATIENCE):
            await worker.run()
        assert proxy.faults == []

    assert done == Counter(keys)
    assert settled(url) == Counter({ClaimOutcome.COMPLETED: len(keys)})


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("result", "outcome", "status"),
    [
        ("note", ClaimOutcome.COMPLETED, TaskStatus.COMPLETED),
        (Submit("look"), ClaimOutcome.SUBMITTED, TaskStatus.IN_REVIEW),
        (Retry(timedelta(hours=1)), ClaimOutcome.RELEASED, TaskStatus.PENDING),
        (ValueError("no"), ClaimOutcome.FAILED, TaskStatus.PENDING),
    ],
)
async def test_ending_whose_answer_is_lost_is_repeated(
    url: str, result: Any, outcome: ClaimOutcome, status: TaskStatus
) -> None:
    make(url, 1)

    async def handle(job: Job) -> Any:
        proxy.faults.append(Fault(lambda number, data: True))
        if isinstance(result, ValueError):
            raise result
        return result

    with Proxy(url) as proxy:
        worker = Worker(Database(proxy.url), handle, agent="w", on_idle=Worker.stop)
        async with asyncio.timeout(PATIENCE):
            await worker.run()
        assert proxy.faults == []

    with connect(url) as conn:
        task = tasks.get_by_key(conn, "T-0")
        history = conn.execute(
            "select outcome::text from task_history where outcome is not null"
        ).fetchall()
    assert task.status == status
    assert history == [(outcome.value,)]


async def test_half_open_listener_is_found_out_and_work_goes_on(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("taskdb.events.waiting_async.DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr("taskdb.events.waiting_async.PROOF_SECONDS", 0.2)
    done: list[str] = []

    async def handle(job: Job) -> None:
        done.append(job.claim.key)

    def create(*keys: str) -> None:
        with connect(url) as conn:
            for key in keys:
                tasks.create(conn, key=key, title="one")

    with Proxy(url) as proxy, caplog.at_level(logging.WARNING):
        worker = Worker(Database(proxy.url), handle, agent="w", poll=timedelta(milliseconds=200))
        running = asyncio.ensure_future(worker.run())
        create("A")
        await until(lambda: done == ["A"])
        # The session lives, and nothing of it arrives any more.
        proxy.faults.append(Fault(has(b"proof"), "after", "stall"))
        await until(lambda: "nothing wakes this worker" in caplog.text)
        create("B", "C")
        await until(lambda: len(done) == 3)
        # It listens again.
        with connect(url, autocommit=True) as conn:
            await until(
                lambda: conn.execute(
                    "select from pg_locks where locktype = 'advisory' and mode = 'ShareLock'"
                    " and pid in (select pid from pg_stat_activity"
                    " where backend_start > now() - interval '10 seconds')"
                ).fetchall()
            )
        worker.stop()
        await running

    assert done == ["A", "B", "C"]
    assert settled(url) == Counter({ClaimOutcome.COMPLETED: 3})


async def test_worker_waits_until_a_failover_has_made_its_server_writable(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    make(url, 2)

    def switch(read_only: bool) -> None:
        """Switch the database, and end its sessions."""
        with connect(url, autocommit=True) as conn:
            conn.execute("set default_transaction_read_only = off")
            statement = "alter database {} set default_transaction_read_only = {}"
            conn.execute(sql.SQL(statement).format(sql.Identifier(conn.info.dbname), read_only))
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )

    async def switch_back() -> None:
        await until(lambda: "read-only transaction" in caplog.text)
        switch(read_only=False)

    switching: list[asyncio.Task[None]] = []

    async def handle(job: Job) -> None:
        if job.claim.key == "T-0":
            switch(read_only=True)
            switching.append(asyncio.ensure_future(switch_back()))

    worker = Worker(Database(url), handle, agent="w", on_idle=Worker.stop)
    async with asyncio.timeout(PATIENCE):
        await worker.run()

    assert settled(url) == Counter({ClaimOutcome.COMPLETED: 2})


@pytest.mark.slow
async def test_worker_needs_nothing_of_an_exhausted_pool(url: str) -> None:
    keys = make(url, 5)
    done: list[str] = []

    async def handle(job: Job) -> None:
        done.append(job.claim.key)

    with Database(url, pool_min=1, pool_max=1) as database, database.connection():
        async with asyncio.timeout(PATIENCE):
            await Worker(database, handle, agent="w", on_idle=Worker.stop).run()

    assert sorted(done) == sorted(keys)
    assert settled(url) == Counter({ClaimOutcome.COMPLETED: len(keys)})
