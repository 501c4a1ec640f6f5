"""Spans and durations of named queries, by OpenTelemetry's conventions for PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import psycopg
import pytest
from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

import taskdb.otel
from taskdb import AsyncDatabase, Database, queries
from taskdb.database import connect, connect_async
from taskdb.errors import IntegrityError, NotFoundError
from taskdb.queries import subtasks, tasks
from taskdb.query._query import runners
from tests.observe.recorder import Recorder

SECRET = "s3cret-value"
# Queries of each kind; claims are a call of a function.
OPERATIONS = {
    "claims.claim_next": "SELECT",
    "dependencies.remove_dependency": "DELETE",
    "design.create_job": "INSERT",
    "tasks.create": "SELECT",
    "planning.schedule": "SELECT",
}


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_query_is_a_client_span_by_the_conventions(database_url: str, traced: Recorder) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="T-1", title="one")
        conn.commit()
        info = conn.info
        name, host, port = info.dbname, info.host, info.port

    span = traced.only("tasks.create")
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    attributes = attributes_of(span)
    text = attributes.pop("db.query.text")
    assert attributes == {
        "db.system.name": "postgresql",
        "db.namespace": f"{name}|taskdb",
        "db.operation.name": "SELECT",
        "db.query.summary": "tasks.create",
        "server.address": host,
        "server.port": port,
    }
    assert "/* taskdb:tasks.create */" in text
    assert "$1" in text


async def test_asynchronous_query_is_one_too(database_url: str, traced: Recorder) -> None:
    async with await connect_async(database_url) as conn:
        await tasks.list_ready(conn)

    span = traced.only("tasks.list_ready")
    assert attributes_of(span)["db.operation.name"] == "SELECT"


def test_no_argument_is_in_a_span_a_metric_or_an_error(database_url: str, traced: Recorder) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key=SECRET, title=SECRET, description=SECRET)
        conn.commit()
        with pytest.raises(IntegrityError):
            tasks.create(conn, key=SECRET, title=SECRET)
        conn.rollback()
        with pytest.raises(NotFoundError):
            tasks.get_by_key(conn, SECRET + "2")

    told = "".join(span.to_json() for span in traced.spans())
    assert len(traced.spans()) == 3
    assert SECRET not in told
    assert SECRET not in repr(traced.reader.get_metrics_data())


def test_failed_query_has_the_sqlstate_as_its_type(database_url: str, traced: Recorder) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="T-1", title="one")
        with pytest.raises(IntegrityError):
            tasks.create(conn, key="T-1", title="one")

    span = traced.spans()[-1]
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert attributes_of(span)["error.type"] == "23505"
    assert attributes_of(span)["db.response.status_code"] == "23505"


def test_missing_row_is_an_error_of_taskdb(database_url: str, traced: Recorder) -> None:
    with connect(database_url) as conn, pytest.raises(NotFoundError):
        tasks.get_by_key(conn, "T-9")

    attributes = attributes_of(traced.only("tasks.get_by_key"))
    assert attributes["error.type"] == "taskdb.query.errors.NotFoundError"
    assert "db.response.status_code" not in attributes


def test_query_on_a_closed_connection_raises_the_drivers_error(
    database_url: str, traced: Recorder
) -> None:
    conn = connect(database_url)
    conn.close()

    with pytest.raises(psycopg.OperationalError):
        tasks.list_ready(conn)

    assert (
        attributes_of(traced.only("tasks.list_ready"))["error.type"] == "psycopg.OperationalError"
    )


def test_batch_says_how_many(database_url: str, traced: Recorder) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="T-1", title="one")
        rows = [subtasks.append.row(task="T-1", title=f"part {n}") for n in range(3)]
        subtasks.append.batch(conn, rows)
        subtasks.append.batch(conn, rows[:1])

    three, one = traced.spans()[1:]
    assert three.name == "BATCH subtasks.append"
    assert attributes_of(three)["db.operation.batch.size"] == 3
    assert attributes_of(three)["db.query.summary"] == "BATCH subtasks.append"
    assert one.name == "subtasks.append"
    assert "db.operation.batch.size" not in attributes_of(one)


async def test_asynchronous_batch_says_how_many(database_url: str, traced: Recorder) -> None:
    async with await connect_async(database_url) as conn:
        await tasks.create(conn, key="T-1", title="one")
        rows = [subtasks.append.row(task="T-1", title=f"part {n}") for n in range(3)]
        await subtasks.append.batch(conn, rows)

    assert traced.names() == ["tasks.create", "BATCH subtasks.append"]


def test_stream_is_one_span_also_where_it_is_left_early(
    database_url: str, traced: Recorder
) -> None:
    with connect(database_url, autocommit=True) as conn:
        for number in range(3):
            tasks.create(conn, key=f"T-{number}", title="one")
        assert len(list(tasks.list_ready.stream(conn))) == 3
        stream = tasks.list_ready.stream(conn)
        next(stream)
        stream.close()

    whole, left = traced.spans()[3:]
    assert (whole.name, left.name) == ("tasks.list_ready", "tasks.list_ready")
    assert left.status.status_code is StatusCode.UNSET


async def test_asynchronous_stream_is_one_span(database_url: str, traced: Recorder) -> None:
    async with await connect_async(database_url, autocommit=True) as conn:
        await tasks.create(conn, key="T-1", title="one")
        found = [task.key async for task in tasks.list_ready.stream(conn)]

    assert found == ["T-1"]
    assert traced.names() == ["tasks.create", "tasks.list_ready"]


def test_spans_stand_below_the_callers(database_url: str, traced: Recorder) -> None:
    tracer = traced.tracers.get_tracer("service")
    with connect(database_url) as conn, tracer.start_as_current_span("request"):
        tasks.list_ready(conn)

    assert traced.tree() == ["request", "  tasks.list_ready"]


def test_durations_are_measured_by_query(database_url: str, traced: Recorder) -> None:
    with connect(database_url) as conn:
        tasks.list_ready(conn)
        tasks.list_ready(conn)
        with pytest.raises(NotFoundError):
            tasks.get_by_key(conn, "T-9")

    points = traced.points("db.client.operation.duration")
    counts = {
        (attributes["db.query.summary"], attributes.get("error.type")): point.count
        for attributes, point in points
        if isinstance(point, HistogramDataPoint)
    }
    assert counts == {
        ("tasks.list_ready", None): 2,
        ("tasks.get_by_key", "taskdb.query.errors.NotFoundError"): 1,
    }
    attributes, point = points[0]
    assert isinstance(point, HistogramDataPoint)
    assert point.explicit_bounds[0] == 0.001
    assert "db.query.text" not in attributes


def test_pool_is_measured(database_url: str, traced: Recorder) -> None:
    with Database(database_url, pool_min=1, pool_max=3) as database, database.connection():
        count = {
            attributes["db.client.connection.state"]: point.value  # type: ignore[union-attr]
            for attributes, point in traced.points("db.client.connection.count")
        }
        ((named, most),) = traced.points("db.client.connection.max")
        ((_, waits),) = traced.points("db.client.connection.wait_time")
    after = traced.points("db.client.connection.count")

    assert count["used"] == 1
    assert named == {"db.client.connection.pool.name": database.settings.pool_name}
    assert most.value == 3  # type: ignore[union-attr]
    assert isinstance(waits, HistogramDataPoint)
    assert waits.count == 1
    assert after == []


def test_pools_of_one_name_are_added_up(database_url: str, traced: Recorder) -> None:
    with Database(database_url, pool_max=3) as one, Database(database_url, pool_max=4) as other:
        assert one.settings.pool_name == other.settings.pool_name
        ((_, most),) = traced.points("db.client.connection.max")

    assert most.value == 7  # type: ignore[union-attr]


async def test_asynchronous_pool_is_measured(database_url: str, traced: Recorder) -> None:
    async with AsyncDatabase(database_url) as database, database.connection():
        points = traced.points("db.client.connection.wait_time")

    assert len(points) == 1


def test_instrumenting_twice_is_once(database_url: str, traced: Recorder) -> None:
    taskdb.otel.instrument(tracer_provider=traced.tracers)

    with connect(database_url) as conn:
        tasks.list_ready(conn)

    assert traced.names() == ["tasks.list_ready"]


def test_uninstrumented_query_runs_the_very_functions_of_the_toolkit(
    database_url: str, recorder: Recorder
) -> None:
    before = [getattr(runners, name) for name in type(runners).__slots__]
    taskdb.otel.instrument(tracer_provider=recorder.tracers)
    taskdb.otel.uninstrument()

    with connect(database_url) as conn:
        tasks.list_ready(conn)
    assert [getattr(runners, name) for name in type(runners).__slots__] == before
    assert recorder.spans() == []


@pytest.mark.slow
def test_nothing_of_it_is_imported_without_being_asked_for() -> None:
    code = (
        "import sys, taskdb.worker, taskdb.events, taskdb.health\n"
        "from taskdb import Database, AsyncDatabase\n"
        "from taskdb.queries import claims, tasks\n"
        "heads = {name.split('.')[0] for name in sys.modules}\n"
        "print(heads & {'opentelemetry', 'prometheus_client', 'wsgiref'})"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "set()\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "hidden", "extra"),
    [
        ("taskdb.otel", "opentelemetry", "otel"),
        ("taskdb.health.exposition", "prometheus_client", "prometheus"),
    ],
)
def test_missing_extra_is_named(module: str, hidden: str, extra: str) -> None:
    code = f"import sys; sys.modules[{hidden!r}] = None; import {module}"

    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.endswith(f"Run: pip install 'taskdb[{extra}]'\n")


def test_operation_is_that_of_the_statement_behind_its_ctes() -> None:
    commands = {name: queries.query[name].statement.command for name in OPERATIONS}

    assert commands == OPERATIONS
