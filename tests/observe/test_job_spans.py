"""Spans of a worker's jobs: claim, work and completion in one tree."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.trace import SpanKind, StatusCode

from taskdb import Database
from taskdb.database import connect
from taskdb.queries import tasks
from taskdb.worker import Job, Outcome, Retry, Worker
from tests.observe.recorder import Recorder


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    with Database(database_url, pool_min=1, pool_max=4) as database:
        yield database


def make(database: Database, *keys: str) -> None:
    with database.connection() as conn:
        for key in keys:
            tasks.create(conn, key=key, title=f"Task {key}")


def worker(database: Database, handler: Any, **given: Any) -> Worker:
    return Worker(database, handler, agent="w", **{"on_idle": Worker.stop, **given})


async def test_claim_work_and_completion_are_one_tree(
    database: Database, recorder: Recorder, traced: Recorder
) -> None:
    make(database, "T-1")
    traced.exporter.clear()
    url = database.settings.conninfo

    async def handle(job: Job) -> None:
        with connect(url) as conn:
            tasks.get_by_key(conn, job.claim.key)

    await worker(database, handle).run()

    assert traced.tree() == [
        "job",
        "  claim",
        "    claims.claim_next",
        "  work",
        "    tasks.get_by_key",
        "  complete",
        "    claims.complete_and_claim_next",
    ]
    job = traced.only("job")
    assert job.kind is SpanKind.CONSUMER
    attributes = dict(job.attributes or {})
    assert attributes.pop("taskdb.task.id")
    assert attributes == {
        "taskdb.task.key": "T-1",
        "taskdb.task.attempt": 1,
        "taskdb.agent": "w",
        "taskdb.agent_type": "",
        "taskdb.outcome": "completed",
    }


async def test_job_claimed_with_the_completion_before_is_linked_to_it(
    database: Database, traced: Recorder
) -> None:
    make(database, "T-1", "T-2")
    traced.exporter.clear()

    async def handle(job: Job) -> None:
        await asyncio.sleep(0)

    await worker(database, handle).run()

    first, second = [span for span in traced.spans() if span.name == "job"]
    completion = next(span for span in traced.spans() if span.name == "complete")
    assert [link.context for link in second.links] == [completion.context]
    assert not first.links
    assert first.context is not None
    assert second.context is not None
    assert first.context.trace_id != second.context.trace_id
    assert traced.tree().count("  claim") == 2


async def test_handler_in_a_thread_works_within_its_span(
    database: Database, traced: Recorder
) -> None:
    make(database, "T-1")
    traced.exporter.clear()
    url = database.settings.conninfo

    def handle(job: Job) -> None:
        with connect(url) as conn:
            tasks.get_by_key(conn, job.claim.key)

    await worker(database, handle).run()

    assert traced.tree()[3:5] == ["  work", "    tasks.get_by_key"]


async def test_each_way_to_end_has_its_name(database: Database, traced: Recorder) -> None:
    make(database, "broken", "later")
    traced.exporter.clear()

    async def handle(job: Job) -> Outcome:
        if job.claim.key == "broken":
            raise ValueError("it does not compile")
        return Retry(timedelta(hours=1))

    await worker(database, handle).run()

    outcomes = {
        (span.attributes or {})["taskdb.task.key"]: (span.attributes or {})["taskdb.outcome"]
        for span in traced.spans()
        if span.name == "job"
    }
    assert outcomes == {"broken": "failed", "later": "released"}
    assert {"fail", "release"} <= set(traced.names())
    broken, later = [span for span in traced.spans() if span.name == "work"]
    assert (broken.attributes or {})["error.type"] == "ValueError"
    assert broken.status.status_code is StatusCode.ERROR
    assert later.status.status_code is StatusCode.UNSET


async def test_hooks_and_logs_of_a_job_are_within_its_trace(
    database: Database, traced: Recorder
) -> None:
    make(database, "T-1")
    seen: list[int] = []

    async def handle(job: Job) -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)

    def hook(*_: object) -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)

    await worker(database, handle, on_start=hook, on_end=hook).run()

    job = traced.only("job")
    assert job.context is not None
    assert seen == [job.context.trace_id] * 3


async def test_idle_worker_makes_no_span(database: Database, traced: Recorder) -> None:
    looks = 0

    async def handle(job: Job) -> None:
        raise AssertionError

    def idle(worker: Worker) -> None:
        nonlocal looks
        looks += 1
        if looks == 5:
            worker.stop()

    await worker(database, handle, on_idle=idle, poll=timedelta(milliseconds=1)).run()

    assert traced.names() == []
    measured = {a["db.query.summary"] for a, _ in traced.points("db.client.operation.duration")}
    assert "claims.claim_next" in measured


async def test_jobs_are_measured_by_outcome(database: Database, traced: Recorder) -> None:
    make(database, "T-1", "T-2")

    async def handle(job: Job) -> None:
        if job.claim.key == "T-2":
            raise ValueError

    await worker(database, handle, retry=lambda job, error: None).run()

    counts = {
        attributes["taskdb.outcome"]: point.count
        for attributes, point in traced.points("taskdb.job.duration")
        if isinstance(point, HistogramDataPoint)
    }
    assert counts == {"completed": 1, "failed": 1}
