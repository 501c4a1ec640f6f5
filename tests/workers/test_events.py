"""Events: who waits is woken by what makes a task ready; a stream misses nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from itertools import islice
from typing import Any

import psycopg
import pytest

from taskdb import AsyncDatabase, Database, events
from taskdb.database import Connection, connect
from taskdb.errors import ValidationError
from taskdb.events.waiting import Waiter
from taskdb.models import ExecutionStatus, NewWorkflow, TaskStatus
from taskdb.queries import claims, dependencies, executions, pauses, tasks, workflows
from taskdb.queries import events as queries

HOUR = timedelta(hours=1)
PATIENCE = 30.0


def heard(conn: Connection) -> list[str]:
    """Return the notifications of all that was committed before."""
    queries.prove_waiting(conn)
    return [each.payload for each in conn.notifies(timeout=0) if each.channel == "taskdb.taskdb"]


def make_chain(database: Database) -> None:
    with database.connection() as conn:
        tasks.create(conn, key="A", title="first")
        tasks.create(conn, key="B", title="second")
        dependencies.add_dependency(conn, task="B", depends_on="A")


def make_another(database: Database, key: str) -> None:
    with database.connection() as conn:
        tasks.create(conn, key=key, title="another")


def claim(database: Database) -> Any:
    """Claim the next task as ``x``."""
    return database.retrying(lambda conn: claims.claim_next(conn, agent="x"))


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def somebody_waits(conn: Connection) -> bool:
    row = conn.execute(
        "select count(*) from pg_locks where locktype = 'advisory' and mode = 'ShareLock'"
    ).fetchone()
    return row is not None and row[0] > 0


def test_transaction_that_makes_tasks_ready_sends_one_notification(
    database: Database, waiting: Connection
) -> None:
    with database.connection() as conn:
        for number in range(5):
            tasks.create(conn, key=f"T-{number}", title="ready at once")

    assert heard(waiting) == ['[""]']


def test_notification_names_the_types_that_became_ready(
    database: Database, waiting: Connection
) -> None:
    with database.connection() as conn:
        for agent_type in ("tester", "writer", "tester"):
            tasks.create(conn, title="one", agent_type=agent_type)

    assert heard(waiting) == ['["tester","writer"]']


def test_nobody_who_does_not_wait_is_notified(database: Database, waiting: Connection) -> None:
    with connect(database.settings.conninfo, autocommit=True) as listener:
        listener.execute('listen "taskdb.taskdb"')
        queries.stop_waiting(waiting)

        with database.connection() as conn:
            tasks.create(conn, key="T", title="ready, and nobody waits")

        assert heard(listener) == []


def test_one_who_waits_for_a_type_is_woken_by_it_and_by_tasks_of_no_type(
    database: Database, database_url: str
) -> None:
    with connect(database_url, autocommit=True) as waiting:
        queries.start_waiting(waiting, agent_type="tester")
        with database.connection() as conn:
            tasks.create(conn, title="not for it", agent_type="writer")
        assert heard(waiting) == []

        with database.connection() as conn:
            tasks.create(conn, title="for it", agent_type="tester")
        assert heard(waiting) == ['["tester"]']

        with database.connection() as conn:
            tasks.create(conn, title="for all")
        assert heard(waiting) == ['[""]']


def test_what_makes_nothing_ready_sends_nothing(database: Database, waiting: Connection) -> None:
    make_chain(database)
    heard(waiting)

    taken = claim(database)
    held = {"task_id": taken.task_id, "token": taken.token}
    database.retrying(lambda conn: claims.heartbeat(conn, progress=50, **held))
    database.retrying(lambda conn: tasks.update(conn, "B", title="renamed"))
    database.retrying(lambda conn: claims.fail(conn, error="no", retry_in=HOUR, **held))
    with database.connection() as conn:
        tasks.create(conn, title="taken back")
        conn.rollback()

    assert heard(waiting) == []


def completes(conn: Connection) -> None:
    taken = claims.claim_next(conn, agent="x")
    assert taken is not None
    claims.complete(conn, task_id=taken.task_id, token=taken.token)


def releases(conn: Connection) -> None:
    taken = claims.claim_next(conn, agent="x")
    assert taken is not None
    claims.release(conn, task_id=taken.task_id, token=taken.token)


def requeues(conn: Connection) -> None:
    tasks.update_status(conn, "A", status=TaskStatus.FAILED, force=True)
    tasks.requeue(conn, keys=["A"])


def lifts_a_hold(conn: Connection) -> None:
    tasks.update_status(conn, "A", status=TaskStatus.BLOCKED, blocked_reason="wait")
    tasks.update_status(conn, "A", status=TaskStatus.PENDING)


def lifts_a_pause(conn: Connection) -> None:
    pauses.pause(conn)
    pauses.resume(conn)


def removes_a_dependency(conn: Connection) -> None:
    dependencies.remove_dependency(conn, task="B", depends_on="A")


def deletes_a_blocker(conn: Connection) -> None:
    tasks.delete(conn, "A")


def changes_its_type(conn: Connection) -> None:
    tasks.update(conn, "A", agent_type="tester")


def writes_by_hand(conn: Connection) -> None:
    conn.execute("update tasks set scheduled_at = now() + interval '1 hour' where key = 'A'")
    conn.execute("update tasks set scheduled_at = null where key = 'A'")


@pytest.mark.slow
@pytest.mark.parametrize(
    "cause",
    [
        completes,
        releases,
        requeues,
        lifts_a_hold,
        lifts_a_pause,
        removes_a_dependency,
        deletes_a_blocker,
        changes_its_type,
        writes_by_hand,
    ],
)
def test_everything_that_a_client_causes_wakes(
    database: Database, waiting: Connection, cause: Callable[[Connection], None]
) -> None:
    make_chain(database)
    heard(waiting)

    database.retrying(cause)

    assert len(heard(waiting)) == 1


def test_commit_that_wakes_costs_no_round_trip_more(
    database: Database, waiting: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    wait = psycopg.Connection.wait

    def counted(*args: Any, **named: Any) -> Any:
        sent.append(1)
        return wait(*args, **named)

    monkeypatch.setattr(psycopg.Connection, "wait", counted)
    trips = []
    for scheduled in (True, False):
        with database.connection() as conn:
            at = queries.position(conn).moment + HOUR if scheduled else None
            tasks.create(conn, title="a task", scheduled_at=at)
            queries.position(conn)
            sent.clear()
        trips.append(len(sent))

    assert heard(waiting) == ['[""]']
    assert trips == [1, 1]


@pytest.mark.parametrize("autocommit", [True, False])
def test_single_connection_wakes_too(
    database_url: str, waiting: Connection, autocommit: bool
) -> None:
    with connect(database_url, autocommit=autocommit) as conn:
        with conn.transaction():
            tasks.create(conn, title="in a block")
        conn.commit()
        assert len(heard(waiting)) == 1
        tasks.create(conn, title="a statement")
        conn.execute("commit")

    assert len(heard(waiting)) == 1


def test_connection_from_elsewhere_wakes_when_told_to(
    database: Database, waiting: Connection
) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(database.settings.conninfo)
    parts["options"] = '-c search_path="taskdb",shared,pg_temp'
    with psycopg.connect(**parts) as conn:  # type: ignore[arg-type]
        assert not queries.wake(conn)
        tasks.create(conn, title="by a plain connection")
        assert queries.wake(conn)

    assert heard(waiting) == ['[""]']


def test_commit_holds_though_the_search_path_was_moved(
    database: Database, waiting: Connection
) -> None:
    with database.connection() as conn:
        tasks.create(conn, key="T", title="a task")
        conn.execute("set local search_path = pg_catalog")

    assert heard(waiting) == []
    with database.connection() as conn:
        assert tasks.get_by_key(conn, "T").title == "a task"


def test_claim_that_waits_is_woken(database: Database, database_url: str) -> None:
    with (
        connect(database_url, autocommit=True) as watch,
        ThreadPoolExecutor() as pool,
    ):
        waits = pool.submit(events.claim_next, database, agent="x", wait=HOUR, poll=HOUR)
        wait_until(lambda: somebody_waits(watch))
        # It has looked for the last time before it polls.
        time.sleep(0.5)
        with database.connection() as conn:
            tasks.create(conn, key="T", title="a task")

        taken = waits.result(PATIENCE)

    assert taken is not None
    assert taken.key == "T"


def test_claim_that_waits_ends_without_one(database: Database) -> None:
    assert events.claim_next(database, agent="x", wait=timedelta(milliseconds=20)) is None
    with pytest.raises(ValidationError, match="poll"):
        events.claim_next(database, agent="x", wait=HOUR, poll=timedelta())


@pytest.mark.slow
async def test_claim_that_waits_can_be_awaited(database_url: str) -> None:
    async with AsyncDatabase(database_url, pool_max=2) as database:
        async with database.connection() as conn:
            await tasks.create(conn, key="T", title="a task")
        taken = await events.claim_next(database, agent="x", wait=HOUR)

    assert taken is not None
    assert taken.key == "T"


@pytest.mark.slow
def test_waiter_whose_session_is_killed_waits_again(database: Database, database_url: str) -> None:
    with connect(database_url, autocommit=True) as watch, Waiter(database.settings) as waiter:
        assert waiter.start()
        watch.execute(
            "select pg_terminate_backend(pid) from pg_locks"
            " where locktype = 'advisory' and mode = 'ShareLock'"
            # Tests of other databases wait on the same server.
            " and database = (select oid from pg_database where datname = current_database())"
        )
        assert not waiter.heard(PATIENCE)
        assert not waiter.is_waiting
        wait_until(waiter.start)
        with database.connection() as conn:
            tasks.create(conn, title="a task")

        assert waiter.heard(PATIENCE)


@pytest.mark.slow
def test_waiter_to_whom_no_notification_comes_polls(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # As behind a pooler in transaction mode, whose other session notifies and hears.
    monkeypatch.setattr("taskdb.events.waiting.DEADLINE_SECONDS", 0.05)
    monkeypatch.setattr(queries, "prove_waiting", lambda conn: "taskdb.proof.of.another")
    with ThreadPoolExecutor() as pool, caplog.at_level(logging.WARNING):
        poll = timedelta(milliseconds=50)
        waits = pool.submit(events.claim_next, database, agent="x", wait=HOUR, poll=poll)
        wait_until(lambda: "does not deliver notifications" in caplog.text)
        with database.connection() as conn:
            tasks.create(conn, key="T", title="a task")

        taken = waits.result(PATIENCE)

    assert taken is not None


@pytest.mark.slow
def test_silent_server_is_given_up_by_who_waits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskdb.events.waiting.DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr("taskdb.events.waiting.PROOF_SECONDS", 0.0)
    with Waiter(database.settings) as waiter:
        assert waiter.start()
        # Half open: what is sent arrives nowhere, and nothing comes back.
        with connect(database.settings.conninfo, autocommit=True) as other:
            conn = waiter._conn
            assert conn is not None
            monkeypatch.setattr(
                queries, "prove_waiting", lambda conn: conn.execute("select pg_sleep(60)")
            )
            assert not waiter.heard(0.01)
            assert conn.closed
            assert not waiter.is_waiting
            assert other.execute("select 1").fetchone() == (1,)


def take(stream: Any, count: int) -> list[tuple[str, str]]:
    return [(type(event).__name__, event.key) for event in islice(stream, count)]


def test_stream_yields_each_event_once_in_order(database: Database) -> None:
    with closing(events.listen(database, poll=timedelta(milliseconds=10))) as stream:
        with ThreadPoolExecutor() as pool:
            first = pool.submit(next, stream)
            wait_until(lambda: with_connection(database, somebody_waits))
            make_chain(database)
            assert isinstance(first.result(PATIENCE), events.TaskReady)
        taken = claim(database)
        database.retrying(
            lambda conn: claims.complete(conn, task_id=taken.task_id, token=taken.token)
        )
        taken = claim(database)
        database.retrying(
            lambda conn: claims.fail(conn, task_id=taken.task_id, token=taken.token, error="no")
        )

        # B was ready for a moment, and is not any more.
        assert take(stream, 4) == [
            ("TaskClaimed", "A"),
            ("TaskCompleted", "A"),
            ("TaskClaimed", "B"),
            ("TaskFailed", "B"),
        ]


def with_connection(database: Database, is_so: Callable[[Connection], bool]) -> bool:
    with database.connection() as conn:
        return is_so(conn)


@pytest.mark.slow
def test_stream_tells_what_an_older_transaction_commits_later(database: Database) -> None:
    make_chain(database)
    with database.connection() as conn:
        tasks.create(conn, key="C", title="third")
    with database.connection() as conn:
        since = queries.position(conn).moment
    with (
        closing(events.listen(database, since=since, poll=timedelta(milliseconds=10))) as stream,
        connect(database.settings.conninfo) as slow,
    ):
        claims.claim(slow, key="A", agent="slow")
        database.retrying(lambda conn: claims.claim(conn, key="C", agent="fast"))
        assert take(stream, 1) == [("TaskClaimed", "C")]
        # Longer than the margin for clocks that step back.
        time.sleep(1.2)
        make_another(database, "D")
        assert take(stream, 1) == [("TaskReady", "D")]
        slow.commit()

        assert take(stream, 1) == [("TaskClaimed", "A")]


@pytest.mark.slow
def test_stream_does_not_listen_while_its_consumer_is_busy(database: Database) -> None:
    make_chain(database)
    with database.connection() as conn:
        since = tasks.get_by_key(conn, "A").created_at
    with closing(events.listen(database, since=since)) as stream:
        next(stream)

        wait_until(lambda: not with_connection(database, somebody_waits))


@pytest.mark.slow
def test_stream_tells_that_a_workflow_finished(database: Database) -> None:
    with database.connection() as conn:
        workflow = workflows.create(conn, NewWorkflow(name="release"), [])
        workflows.activate(conn, workflow.id)
    with database.connection() as conn:
        since = queries.position(conn).moment
    with closing(events.listen(database, since=since)) as stream:
        with database.connection() as conn:
            execution = executions.start_execution(conn, workflow.id)
        with database.connection() as conn:
            executions.complete_execution(conn, execution.id)

        event = next(stream)

    assert isinstance(event, events.WorkflowFinished)
    assert (event.workflow, event.status) == ("release", ExecutionStatus.COMPLETED)


async def test_stream_can_be_iterated_asynchronously(database_url: str) -> None:
    async with AsyncDatabase(database_url, pool_max=2) as database:
        async with database.connection() as conn:
            since = (await queries.position(conn)).moment
        async with database.connection() as conn:
            await tasks.create(conn, key="T", title="a task")
        stream = events.listen(database, since=since)
        event = await anext(stream)
        await stream.aclose()

    assert isinstance(event, events.TaskReady)
    assert event.key == "T"
