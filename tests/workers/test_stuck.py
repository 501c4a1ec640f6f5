"""Handlers that do not end, and leases that they outlive: reported, and the other jobs go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from taskdb import Database
from taskdb.models import ClaimOutcome, TaskStatus
from taskdb.queries import claims, tasks
from taskdb.worker import HandlerStuckError, Job, JobLostError, Worker

pytestmark = pytest.mark.slow

PATIENCE = 30.0
SHORT = timedelta(milliseconds=600)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lose patience with handlers soon."""
    monkeypatch.setattr("taskdb.worker.watching._STUCK_SECONDS", 0.1)
    monkeypatch.setattr("taskdb.worker.running.GRACE_SECONDS", 0.2)


class Stubborn:
    """A handler that goes on, whoever asks it to end, until it is `let_go`."""

    def __init__(self, *, in_thread: bool) -> None:
        self.begun = threading.Event()
        self.over = threading.Event()
        self.handle: Any = self.in_thread if in_thread else self.on_the_loop

    def in_thread(self, job: Job) -> None:
        if job.claim.key == "A":
            self.begun.set()
            assert self.over.wait(PATIENCE)

    async def on_the_loop(self, job: Job) -> None:
        if job.claim.key != "A":
            return
        self.begun.set()
        while not self.over.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    def let_go(self) -> None:
        self.over.set()


def make(database: Database, *keys: str, **given: Any) -> None:
    with database.connection() as conn:
        for key in keys:
            tasks.create(conn, key=key, title=f"Task {key}", **given)


def outcomes_of(database: Database, key: str) -> list[ClaimOutcome | None]:
    with database.connection() as conn:
        return [attempt.outcome for attempt in claims.list_for_task(conn, key)]


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("in_thread", [False, True])
async def test_handler_that_goes_on_without_its_claim_is_reported_once(
    database: Database, in_thread: bool
) -> None:
    make(database, "A")
    stubborn = Stubborn(in_thread=in_thread)
    errors: list[Exception] = []
    ended: list[tuple[str, str]] = []
    worker = Worker(
        database,
        stubborn.handle,
        agent="w",
        concurrency=2,
        lease=SHORT,
        on_error=lambda job, error: errors.append(error),
        on_end=lambda job, how: ended.append((job.claim.key, how)),
    )
    running = asyncio.ensure_future(worker.run())
    await until(stubborn.begun.is_set)
    with database.connection() as conn:
        tasks.update_status(conn, "A", status=TaskStatus.CANCELLED)
    await until(lambda: errors)
    # Its slot stays taken; the other one works.
    make(database, "B", "C")
    await until(lambda: len(ended) == 2)
    stubborn.let_go()
    await until(lambda: len(ended) == 3)
    worker.stop()
    await running

    (error,) = errors
    assert isinstance(error, HandlerStuckError)
    assert "A: the handler goes on" in str(error)
    assert "its claim is lost" in str(error)
    assert ("on_the_loop" in str(error)) is not in_thread
    assert ended == [("B", "completed"), ("C", "completed"), ("A", "lost")]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("in_thread", [False, True])
async def test_worker_ends_without_a_handler_that_never_does(
    database: Database, in_thread: bool
) -> None:
    make(database, "A")
    stubborn = Stubborn(in_thread=in_thread)
    errors: list[str] = []
    ended: list[str] = []
    worker = Worker(
        database,
        stubborn.handle,
        agent="w",
        drain=timedelta(0),
        on_end=lambda job, how: ended.append(how),
        on_error=lambda job, error: errors.append(f"{type(error).__name__}: {error}"),
    )
    running = asyncio.ensure_future(worker.run())
    await until(stubborn.begun.is_set)
    worker.stop()
    await running

    assert errors == ["HandlerStuckError: A: its handler does not end; the claim will lapse"]
    assert ended == []
    # Nobody is there to store its result: another agent's attempt counts.
    stubborn.let_go()
    await until(lambda: ended)
    assert ended == ["lost"]
    assert outcomes_of(database, "A") == [None]


@pytest.mark.parametrize("in_thread", [False, True])
async def test_handler_that_outlives_its_lease_is_ended_and_reported(
    database: Database, in_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(database, "A")
    ended: list[str] = []
    errors: list[str] = []
    answering = asyncio.Event()
    renew = claims.heartbeat_many

    async def unanswered(*args: Any, **given: Any) -> Any:
        await answering.wait()
        return await renew(*args, **given)

    def in_a_thread(job: Job) -> None:
        while not job.is_ending:
            threading.Event().wait(0.01)
        job.check()

    async def on_the_loop(job: Job) -> None:
        await asyncio.sleep(PATIENCE)

    # As on a line whose other end is gone: no answer, and no error.
    monkeypatch.setattr(claims, "heartbeat_many", unanswered)
    worker = Worker(
        database,
        in_a_thread if in_thread else on_the_loop,
        agent="w",
        lease=SHORT,
        on_end=lambda job, how: ended.append(how),
        on_error=lambda job, error: errors.append(f"{type(error).__name__}: {error}"),
    )
    running = asyncio.ensure_future(worker.run())
    await until(lambda: ended)
    worker.stop()
    answering.set()
    await running

    assert ended == ["lost"]
    assert [text.split(".")[0] for text in errors] == [
        f"{JobLostError.__name__}: A: its lease is over, and no heartbeat succeeded"
    ]


@pytest.mark.parametrize("agent_type", [None, "slow"])
async def test_lease_of_an_agent_type_has_its_own_length(
    database: Database, agent_type: str | None
) -> None:
    make(database, "A", agent_type="slow")
    hours: list[float] = []

    def live() -> list[Any]:
        with database.connection() as conn:
            return [
                row[0]
                for row in conn.execute(
                    "select (extract(epoch from lease_expires_at - now()) / 3600)::float8"
                    " from tasks where lease_expires_at > now() + interval '30 minutes'"
                ).fetchall()
            ]

    async def handle(job: Job) -> None:
        await until(live)
        hours.extend(live())
        assert job.lease == timedelta(hours=1)

    await Worker(
        database,
        handle,
        agent="w",
        agent_type=agent_type,
        lease=SHORT,
        leases={"slow": timedelta(hours=1), "quick": SHORT},
        on_idle=Worker.stop,
    ).run()

    assert [round(each, 1) for each in hours] == [1.0]
    assert outcomes_of(database, "A") == [ClaimOutcome.COMPLETED]
