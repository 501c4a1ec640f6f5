"""Handlers and hooks that nobody should write: they spoil their own job, and no other."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from taskdb import Database
from taskdb.errors import ValidationError
from taskdb.models import ClaimOutcome, TaskStatus
from taskdb.queries import claims, tasks
from taskdb.worker import Job, Submit
from tests.tiers import first_of
from tests.workers.test_worker import PATIENCE, SHORT, make, outcomes_of, status_of, worker


def raises(error: BaseException) -> Any:
    def handle(job: Job) -> None:
        if job.claim.key == "A":
            raise error

    return handle


def awaits(handle: Any) -> Any:
    async def handle_async(job: Job) -> None:
        handle(job)

    return handle_async


@pytest.mark.slow
@pytest.mark.parametrize("in_thread", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt("no"),
        SystemExit(3),
        GeneratorExit(),
        asyncio.CancelledError(),
        BaseExceptionGroup("two", [KeyboardInterrupt(), ValueError("x")]),
        ExceptionGroup("two", [ValueError("x")]),
    ],
    ids=repr,
)
async def test_whatever_a_handler_raises_fails_its_attempt_alone(
    database: Database, error: BaseException, in_thread: bool
) -> None:
    make(database, "A", "B")
    handle = raises(error) if in_thread else awaits(raises(error))

    async with asyncio.timeout(PATIENCE):
        await worker(database, handle).run()

    assert outcomes_of(database, "A") == [ClaimOutcome.FAILED]
    assert status_of(database, "B") == TaskStatus.COMPLETED
    with database.connection() as conn:
        message = tasks.get_by_key(conn, "A").error_message
    assert message is not None
    assert type(error).__name__ in message


class Called:
    async def __call__(self, job: Job, note: str) -> str:
        return note


async def test_partial_of_an_object_that_is_awaited_is_awaited(database: Database) -> None:
    make(database, "A")

    async with asyncio.timeout(PATIENCE):
        await worker(database, partial(Called(), note="done")).run()

    assert outcomes_of(database, "A") == [ClaimOutcome.COMPLETED]


async def test_handler_that_cancels_itself_has_failed(database: Database) -> None:
    make(database, "A", "B")

    async def handle(job: Job) -> None:
        if job.claim.key == "A":
            task = asyncio.current_task()
            assert task
            task.cancel()
            await asyncio.sleep(60)

    async with asyncio.timeout(PATIENCE):
        await worker(database, handle).run()

    assert outcomes_of(database, "A") == [ClaimOutcome.FAILED]
    assert status_of(database, "B") == TaskStatus.COMPLETED


async def test_handler_that_returns_a_coroutine_has_failed_and_is_told_why(
    database: Database,
) -> None:
    make(database, "A")

    async def work(job: Job) -> None: ...

    left: list[Any] = []

    def handle(job: Job) -> Any:
        left.append(work(job))
        return left[0]

    async with asyncio.timeout(PATIENCE):
        await worker(database, handle).run()

    left[0].close()
    assert outcomes_of(database, "A") == [ClaimOutcome.FAILED]
    with database.connection() as conn:
        assert "not coroutine" in str(tasks.get_by_key(conn, "A").error_message)


@pytest.mark.parametrize(
    ("result", "end"), [(None, "completed"), ("note", "completed"), (Submit(), "lost")]
)
async def test_handler_may_complete_its_own_claim(
    database: Database, result: Any, end: str
) -> None:
    make(database, "A", "B")
    ends: list[tuple[str, str]] = []

    def handle(job: Job) -> Any:
        if job.claim.key == "B":
            return None
        with database.transaction() as conn:
            claims.complete(conn, task_id=job.claim.task_id, token=job.claim.token)
        return result

    async with asyncio.timeout(PATIENCE):
        await worker(
            database, handle, on_end=lambda job, how: ends.append((job.claim.key, how))
        ).run()

    assert ends == [("A", end), ("B", "completed")]
    assert outcomes_of(database, "A") == [ClaimOutcome.COMPLETED]


async def test_handler_may_close_the_pool(database: Database, database_url: str) -> None:
    make(database, "A", "B")

    async with asyncio.timeout(PATIENCE):
        await worker(database, lambda job: database.close()).run()

    with Database(database_url) as again:
        assert status_of(again, "B") == TaskStatus.COMPLETED


@pytest.mark.parametrize("hook", ["on_start", "on_end", "on_error", "on_idle"])
@pytest.mark.parametrize(
    "error", first_of([KeyboardInterrupt("no"), SystemExit(3), asyncio.CancelledError()]), ids=repr
)
async def test_hook_that_raises_what_ends_programs_stops_nothing(
    database: Database, caplog: pytest.LogCaptureFixture, hook: str, error: BaseException
) -> None:
    make(database, "A", "B")
    made: Any = None

    def spoil(*given: Any) -> None:
        if hook == "on_idle":
            made.stop()
        raise error

    made = worker(database, raises(ValueError("x")), **{hook: spoil})
    async with asyncio.timeout(PATIENCE):
        await made.run()

    assert outcomes_of(database, "A") == [ClaimOutcome.FAILED]
    assert status_of(database, "B") == TaskStatus.COMPLETED
    assert "a hook of the worker failed" in caplog.text


@pytest.mark.slow
async def test_handler_of_a_claim_that_was_lost_before_it_began_does_not_begin(
    database: Database,
) -> None:
    """A hook can take its time, too."""
    make(database, "A")
    begun: list[str] = []
    ends: list[str] = []

    async def take_it_away(job: Job) -> None:
        with database.transaction() as conn:
            tasks.update_status(conn, "A", status=TaskStatus.CANCELLED, force=True)
        while not job.is_ending:
            await asyncio.sleep(0.01)

    async def handle(job: Job) -> None:
        begun.append(job.claim.key)

    async with asyncio.timeout(PATIENCE):
        await worker(
            database,
            handle,
            lease=SHORT,
            on_start=take_it_away,
            on_end=lambda job, how: ends.append(how),
        ).run()

    assert (begun, ends) == ([], ["lost"])


@pytest.mark.parametrize("name", ["lease", "leases"])
def test_a_lease_that_is_renewed_without_a_pause_is_refused_by_name(
    database: Database, name: str
) -> None:
    short = timedelta(milliseconds=1)
    given: dict[str, Any] = {"lease": short} if name == "lease" else {"leases": {"slow": short}}

    with pytest.raises(ValidationError, match=rf"{name}\b.* 500 ms "):
        worker(database, print, **given)
