"""Workers: every task is worked on once, whatever handlers, signals and servers do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from taskdb import Database
from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.errors import ValidationError
from taskdb.models import ClaimOutcome, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, tasks
from taskdb.worker import Job, JobLostError, LoopBlockedError, Outcome, Retry, Submit, Worker

PATIENCE = 30.0
SHORT = timedelta(milliseconds=600)


def make(database: Database, *keys: str, **given: Any) -> None:
    with database.connection() as conn:
        for key in keys:
            tasks.create(conn, key=key, title=f"Task {key}", **given)


def status_of(database: Database, key: str) -> TaskStatus:
    with database.connection() as conn:
        return tasks.get_by_key(conn, key).status


def outcomes_of(database: Database, key: str) -> list[ClaimOutcome | None]:
    with database.connection() as conn:
        return [attempt.outcome for attempt in claims.list_for_task(conn, key)]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.005)


def worker(database: Database, handler: Any, **given: Any) -> Worker:
    """Return a worker that ends when nothing is left to claim, unless it is told otherwise."""
    return Worker(database, handler, agent="w", **{"on_idle": Worker.stop, **given})


async def test_a_failure_follows_the_back_off_of_the_task(database: Database) -> None:
    make(database, "own", retry_delay=timedelta(days=2), max_retry_delay=timedelta(days=2))
    make(database, "none")

    def handle(job: Job) -> Outcome:
        raise RuntimeError("no disk")

    await worker(database, handle).run()

    waits = {}
    with database.connection() as conn:
        for key in ("own", "none"):
            task = tasks.get_by_key(conn, key)
            assert task.status is TaskStatus.PENDING
            assert task.scheduled_at
            waits[key] = task.scheduled_at - task.updated_at
    assert timedelta(days=1) <= waits["own"] + timedelta(minutes=1)
    assert waits["none"] <= timedelta(seconds=10)


@pytest.mark.parametrize(("says", "ends"), [(None, TaskStatus.FAILED), (SHORT, TaskStatus.PENDING)])
async def test_the_retry_of_a_worker_overrides_the_back_off_of_the_task(
    database: Database, says: timedelta | None, ends: TaskStatus
) -> None:
    make(database, "a", retry_delay=timedelta(days=2), max_retry_delay=timedelta(days=2))

    def handle(job: Job) -> Outcome:
        raise RuntimeError("no disk")

    stopped = worker(database, handle, retry=lambda job, error: says)
    await stopped.run()

    with database.connection() as conn:
        task = tasks.get_by_key(conn, "a")
    assert task.status is ends
    assert says is None or (task.scheduled_at and task.scheduled_at - task.updated_at <= SHORT)


async def test_worker_completes_what_is_there_and_what_that_unblocks(database: Database) -> None:
    with database.connection() as conn:
        tasks.create_many(
            conn,
            [NewTask(key=f"T-{n}", title="one") for n in range(12)],
            [NewDependency(task=f"T-{n}", depends_on=f"T-{n // 2}") for n in range(1, 12)],
        )
    done: list[str] = []

    async def handle(job: Job) -> None:
        done.append(job.claim.key)

    await worker(database, handle, concurrency=3).run()

    assert sorted(done) == sorted(f"T-{n}" for n in range(12))
    assert {status_of(database, key) for key in done} == {TaskStatus.COMPLETED}


async def test_handler_says_how_its_job_ends(database: Database) -> None:
    make(database, "done", "review", "later", "broken")
    ended: dict[str, str] = {}
    errors: list[str] = []

    async def handle(job: Job) -> Outcome:
        match job.claim.key:
            case "review":
                return Submit("please look")
            case "later":
                raise Retry(timedelta(hours=1), "not yet")
            case "broken":
                raise ValueError("it does not compile")
        return "all well"

    await worker(
        database,
        handle,
        on_end=lambda job, how: ended.__setitem__(job.claim.key, how),
        on_error=lambda job, error: errors.append(f"{job.claim.key}: {error}"),
    ).run()

    assert ended == {
        "done": "completed",
        "review": "submitted",
        "later": "released",
        "broken": "failed",
    }
    assert errors == ["broken: it does not compile"]
    with database.connection() as conn:
        found = {key: tasks.get_by_key(conn, key) for key in ended}
    assert found["review"].status == TaskStatus.IN_REVIEW
    assert found["later"].status == TaskStatus.PENDING
    assert found["broken"].error_message == "ValueError: it does not compile"
    assert found["broken"].scheduled_at is not None
    assert (found["later"].failed_attempts, found["broken"].failed_attempts) == (0, 1)


async def test_no_more_jobs_run_than_there_are_slots(database: Database) -> None:
    make(database, *"ABCDEFG")
    running = most = 0
    are_three = asyncio.Event()

    async def handle(job: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            are_three.set()
        # However slow the claims are.
        await are_three.wait()
        await asyncio.sleep(0.02)
        running -= 1

    async with asyncio.timeout(PATIENCE):
        await worker(database, handle, concurrency=3).run()

    assert most == 3


@pytest.mark.slow
async def test_plain_function_runs_in_a_thread_and_tells_its_progress(database: Database) -> None:
    make(database, "A")

    def handle(job: Job) -> str:
        job.progress(40, "nearly half")
        while job.report is not None:
            time.sleep(0.005)
        return "done"

    await worker(database, handle, lease=SHORT).run()

    with database.connection() as conn:
        (attempt,) = claims.list_for_task(conn, "A")
    assert (attempt.progress_pct, attempt.progress_note) == (40, "nearly half")
    assert attempt.outcome == ClaimOutcome.COMPLETED


@pytest.mark.parametrize("in_thread", [False, True])
async def test_handler_ends_when_its_claim_is_lost(database: Database, in_thread: bool) -> None:
    make(database, "A")
    ended: list[str] = []
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_in_thread(job: Job) -> None:
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                job.check()
                time.sleep(0.01)
        except JobLostError:
            ended.append("told")
            raise

    async def wait(job: Job) -> None:
        begun.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            ended.append("told")
            raise

    handler = wait_in_thread if in_thread else wait
    made = worker(database, handler, lease=SHORT, on_end=lambda job, how: ended.append(how))
    running = asyncio.ensure_future(made.run())
    await begun.wait()
    with database.connection() as conn:
        tasks.update_status(conn, "A", status=TaskStatus.CANCELLED)
    await running

    assert ended == ["told", "lost"]
    assert status_of(database, "A") == TaskStatus.CANCELLED


async def test_long_job_keeps_its_claim(database: Database) -> None:
    make(database, "A")

    async def handle(job: Job) -> None:
        await asyncio.sleep(2.5 * SHORT.total_seconds())

    await worker(database, handle, lease=SHORT).run()

    assert outcomes_of(database, "A") == [ClaimOutcome.COMPLETED]


@pytest.mark.slow
async def test_worker_told_to_stop_gives_unfinished_work_back(database: Database) -> None:
    make(database, "A", "B")
    begun: list[str] = []

    async def handle(job: Job) -> None:
        begun.append(job.claim.key)
        await asyncio.sleep(PATIENCE)

    made = worker(database, handle, drain=timedelta(milliseconds=50))
    running = asyncio.ensure_future(made.run())
    await until(lambda: bool(begun))
    made.stop()
    await running

    assert begun == ["A"]
    with database.connection() as conn:
        task = tasks.get_by_key(conn, "A")
    assert (task.status, task.failed_attempts) == (TaskStatus.PENDING, 0)
    assert outcomes_of(database, "A") == [ClaimOutcome.RELEASED]


async def test_worker_told_to_stop_lets_its_jobs_end(database: Database) -> None:
    make(database, "A", "B")
    begun: list[str] = []

    async def handle(job: Job) -> None:
        begun.append(job.claim.key)
        made.stop()
        await asyncio.sleep(0.02)

    made = worker(database, handle)
    await made.run()

    assert begun == ["A"]
    assert status_of(database, "A") == TaskStatus.COMPLETED
    assert status_of(database, "B") == TaskStatus.PENDING


async def test_job_that_takes_too_long_has_failed(database: Database) -> None:
    make(database, "A")

    async def handle(job: Job) -> None:
        await asyncio.sleep(PATIENCE)

    await worker(database, handle, timeout=timedelta(milliseconds=30)).run()

    with database.connection() as conn:
        assert tasks.get_by_key(conn, "A").error_message == (
            "TimeoutError: it did not end within 0.03 s"
        )


@pytest.mark.slow
async def test_lost_connections_lose_no_work_and_do_none_twice(database: Database) -> None:
    keys = [f"T-{n}" for n in range(30)]
    make(database, *keys)
    done: list[str] = []

    async def handle(job: Job) -> None:
        done.append(job.claim.key)
        if len(done) % 10 == 5:
            with connect(database.settings.conninfo, autocommit=True) as conn:
                conn.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )

    await worker(database, handle, concurrency=2).run()

    assert sorted(done) == sorted(keys)
    with connect(database.settings.conninfo) as conn:
        assert doctor.run(conn) == []
        for key in keys:
            outcomes = [attempt.outcome for attempt in claims.list_for_task(conn, key)]
            assert outcomes == [ClaimOutcome.COMPLETED]


@pytest.mark.slow
async def test_handler_that_blocks_the_loop_is_reported(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    make(database, "A")
    errors: list[Exception] = []

    async def handle(job: Job) -> None:
        time.sleep(1.6)
        await asyncio.sleep(0.5)

    await worker(
        database,
        handle,
        lease=timedelta(seconds=3),
        on_error=lambda job, error: errors.append(error),
    ).run()

    assert [type(error) for error in errors] == [LoopBlockedError]
    assert "time.sleep(1.6)" in caplog.text


async def test_idle_worker_starts_what_is_made_ready_without_a_poll(database: Database) -> None:
    done: list[str] = []

    async def handle(job: Job) -> None:
        done.append(job.claim.key)
        made.stop()

    made = worker(database, handle, poll=timedelta(hours=1), on_idle=None)
    running = asyncio.ensure_future(made.run())
    # Its second looks are over: only a notification can wake it.
    await asyncio.sleep(0.7)
    make(database, "A")
    async with asyncio.timeout(PATIENCE):
        await running

    assert done == ["A"]


async def test_failing_hook_stops_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    make(database, "A")

    async def handle(job: Job) -> None: ...

    await worker(database, handle, on_start=lambda job: 1 / 0).run()

    assert status_of(database, "A") == TaskStatus.COMPLETED
    assert "a hook of the worker failed" in caplog.text


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("concurrency", {"concurrency": 0}),
        ("poll", {"poll": timedelta(0)}),
        ("agent", {"agent": ""}),
        ("agent_type", {"agent_type": "a\0b"}),
        ("lease", {"lease": timedelta(0)}),
        ("leases['reviewer']", {"leases": {"reviewer": timedelta(days=9999)}}),
    ],
)
def test_worker_that_could_not_claim_is_refused(
    database: Database, field: str, given: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as refused:
        Worker(database, print, **{"agent": "w", **given})

    assert refused.value.field == field
