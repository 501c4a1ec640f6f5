"""A service's own statements are traced by opentelemetry-instrumentation-psycopg."""

from __future__ import annotations

import pytest
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

from taskdb import AsyncDatabase, Database
from taskdb.database import connect, connect_async
from taskdb.database.connections import GuardedConnection
from taskdb.queries import tasks
from tests.observe.recorder import Recorder

pytestmark = pytest.mark.usefixtures("psycopg_traced")


def test_own_statement_on_a_pooled_connection_is_one_span(
    database_url: str, recorder: Recorder
) -> None:
    with Database(database_url) as database, database.connection() as conn:
        conn.execute("select $1::int", [7])
        with conn.cursor() as cursor:
            cursor.execute("select key from tasks")

    spans = recorder.spans()
    assert recorder.names() == ["select", "select"]
    assert [dict(span.attributes or {})["db.statement"] for span in spans] == [
        "select $1::int",
        "select key from tasks",
    ]


async def test_own_statement_on_an_asynchronous_connection_is_one_span(
    database_url: str, recorder: Recorder
) -> None:
    async with AsyncDatabase(database_url) as database, database.connection() as conn:
        await conn.execute("select $1::int", [7])

    assert recorder.names() == ["select"]


async def test_own_statement_on_a_single_connection_is_one_span(
    database_url: str, recorder: Recorder
) -> None:
    with connect(database_url) as conn:
        conn.execute("select $1::int", [7])
    async with await connect_async(database_url) as aconn:
        await aconn.execute("select $1::int", [8])

    assert recorder.names() == ["select", "select"]


def test_connection_is_still_traced_after_it_came_back(
    database_url: str, recorder: Recorder
) -> None:
    with Database(database_url, pool_min=1, pool_max=1) as database:
        for _ in range(3):
            with database.connection() as conn:
                conn.execute("set application_name = 'mine'")
        with database.connection() as conn:
            (name,) = conn.execute("show application_name").fetchone() or ("?",)

    assert recorder.names() == ["set", "set", "set", "show"]
    assert name == "taskdb"


def test_named_query_has_no_span_of_the_driver(database_url: str, traced: Recorder) -> None:
    with Database(database_url) as database, database.connection() as conn:
        traced.exporter.clear()
        tasks.create(conn, key="T-1", title="one")
        conn.execute("select 1")
        tasks.get_by_key(conn, "T-1")

    assert traced.names() == ["tasks.create", "select", "tasks.get_by_key"]


def test_statement_of_a_traced_cursor_still_marks_the_session_as_changed(
    database_url: str,
) -> None:
    with Database(database_url, pool_min=1, pool_max=1) as database:
        with database.connection() as conn:
            conn.execute("set statement_timeout = '7s'")
        with database.connection() as conn:
            (timeout,) = conn.execute("show statement_timeout").fetchone() or ("?",)

    assert timeout == "1min"


async def test_connections_are_ours_after_the_instrumentation_was_taken_back(
    database_url: str, recorder: Recorder
) -> None:
    instrumentor = PsycopgInstrumentor()
    instrumentor.uninstrument()
    with connect(database_url) as conn:
        conn.execute("select $1::int", [7])
    async with await connect_async(database_url) as aconn:
        await aconn.execute("select $1::int", [7])
    assert recorder.names() == []
    instrumentor.instrument(tracer_provider=recorder.tracers)

    with connect(database_url) as conn:
        conn.execute("select $1::int", [7])

    assert type(conn) is GuardedConnection
    assert recorder.names() == ["select"]
