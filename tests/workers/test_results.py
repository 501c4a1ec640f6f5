"""Results, errors and progress that cannot be stored: they fail one attempt, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from taskdb import Database
from taskdb.errors import ValidationError
from taskdb.models import ClaimOutcome, TaskStatus
from taskdb.queries import claims, tasks
from taskdb.worker import Job, Outcome, Retry, Submit
from tests.tiers import first_of
from tests.workers.test_worker import PATIENCE, SHORT, make, outcomes_of, status_of, worker


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (17, "the handler's result must be None, a note, Submit or Retry, not int"),
        ("a\0b", "note must not contain the NUL character"),
        ("\ud800", "note must not contain half a surrogate pair"),
        ("x" * (2**24 + 1), "note must "),
        (Submit("a\0b"), "note must not contain the NUL character"),
        (Submit(17), "note must be a str, not int"),  # type: ignore[arg-type]
        (Retry(timedelta(days=9999)), "retry_in must be between 0"),
        (Retry(timedelta(-1)), "retry_in must be between 0"),
        (Retry(0), "retry_in must be a timedelta, not int"),  # type: ignore[arg-type]
        (Retry(note="a\0b"), "note must not contain the NUL character"),
    ],
)
async def test_result_that_cannot_be_stored_fails_its_attempt_alone(
    database: Database, result: Any, message: str
) -> None:
    make(database, "A", "B")
    errors: list[str] = []

    async def handle(job: Job) -> Any:
        return result if job.claim.key == "A" else None

    await worker(database, handle, on_error=lambda job, error: errors.append(str(error))).run()

    assert [error.startswith(message) for error in errors] == [True], errors
    with database.connection() as conn:
        task = tasks.get_by_key(conn, "A")
    assert task.error_message is not None
    assert task.error_message.startswith(f"ValidationError: {message}")
    assert outcomes_of(database, "A") == [ClaimOutcome.FAILED]
    assert status_of(database, "B") == TaskStatus.COMPLETED


async def test_result_that_the_rules_forbid_fails_its_attempt_alone(database: Database) -> None:
    make(database, "A", "B")
    with database.connection() as conn:
        conn.execute("delete from task_status_transitions where new_status = 'in_review'")

    async def handle(job: Job) -> Outcome:
        return Submit() if job.claim.key == "A" else None

    await worker(database, handle).run()

    assert outcomes_of(database, "A") == [ClaimOutcome.FAILED]
    assert status_of(database, "B") == TaskStatus.COMPLETED


@pytest.mark.parametrize(
    ("error", "stored"),
    [
        (ValueError("a\0b"), "ValueError: ab"),
        (ValueError("\ud800"), "ValueError: ?"),
        (ValueError("x" * 20_000), "ValueError: " + "x" * 9_988),
        (UnreadableError(), "UnreadableError: its text cannot be read (RuntimeError)"),
        (type("", (Exception,), {})(), "unnamed error"),
        (SystemExit(3), "RuntimeError: the handler ended with SystemExit(3)"),
    ],
)
@pytest.mark.parametrize("in_thread", first_of([False, True]))
async def test_text_of_an_error_is_made_fit_to_be_stored(
    database: Database,
    error: BaseException,
    stored: str,
    in_thread: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make(database, "A")
    # pytest-xdist cannot send what the log would have, half a surrogate pair.
    caplog.set_level(logging.CRITICAL)

    def fail(job: Job) -> None:
        raise error

    async def fail_on_the_loop(job: Job) -> None:
        raise error

    await worker(database, fail if in_thread else fail_on_the_loop).run()

    with database.connection() as conn:
        assert tasks.get_by_key(conn, "A").error_message == stored


@pytest.mark.parametrize(
    "retry", [lambda *_: 1 / 0, lambda *_: "soon", lambda *_: timedelta(days=9999)]
)
async def test_pause_that_cannot_be_kept_is_the_usual_one(database: Database, retry: Any) -> None:
    make(database, "A")
    errors: list[Exception] = []

    async def handle(job: Job) -> None:
        raise KeyError("A")

    await worker(
        database, handle, retry=retry, on_error=lambda job, error: errors.append(error)
    ).run()

    assert len(errors) == 2
    with database.connection() as conn:
        task = tasks.get_by_key(conn, "A")
    assert (task.status, task.error_message) == (TaskStatus.PENDING, "KeyError: 'A'")
    assert task.scheduled_at is not None


@pytest.mark.parametrize(
    "told", [(-1,), (101,), (True,), ("5",), (5, 7), (5, "a\0b"), (None, "\ud800")]
)
async def test_progress_that_cannot_be_stored_is_refused_at_the_call(
    database: Database, told: Any
) -> None:
    make(database, "A")
    refused: list[str | None] = []

    async def handle(job: Job) -> None:
        try:
            job.progress(*told)
        except ValidationError as error:
            refused.append(error.field)
        assert job.report is None

    await worker(database, handle).run()

    assert refused == ["percent" if len(told) == 1 else "note"]
    assert status_of(database, "A") == TaskStatus.COMPLETED


@pytest.mark.slow
async def test_worker_whose_heartbeats_fail_stops_and_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(database, "A")

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no heartbeat")

    async def handle(job: Job) -> None:
        await asyncio.sleep(PATIENCE)

    monkeypatch.setattr(claims, "heartbeat_many", broken)
    made = worker(database, handle, lease=SHORT, drain=timedelta(0), on_idle=None)

    with pytest.raises(RuntimeError, match="no heartbeat"):
        await made.run()
