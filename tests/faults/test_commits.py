"""Commits that are cut off: what a caller can know, and calls that bear being repeated.

docs/reliability.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest
from psycopg import OperationalError
from psycopg.errors import AdminShutdown

from taskdb import Database
from taskdb.admin import doctor
from taskdb.database import Connection, connect
from taskdb.errors import ClaimLostError, DatabaseNotFoundError
from taskdb.models import ClaimOutcome, TaskStatus
from taskdb.queries import claims, tasks
from tests.proxy import Fault, Proxy, has
from tests.tiers import only
from tests.waiting import wait_until

When = Literal["before", "after"]
How = Literal["cut", "reset", "stall"]
HALF_A_SECOND = timedelta(seconds=0.5)
LOST = (OperationalError, DatabaseNotFoundError)
FAULTS = pytest.mark.parametrize(
    ("when", "how"),
    only(
        [(when, how) for when in ("before", "after") for how in ("cut", "reset", "stall")],
        ("after", "cut"),
        ("before", "reset"),
    ),
)


@contextmanager
def fragile(url: str, when: When, how: How, *words: bytes) -> Generator[Database]:
    """A pool of one connection; the next request with one of *words* on it meets a fault."""
    with (
        Proxy(url) as proxy,
        Database(proxy.url, pool_min=1, pool_max=1, statement_timeout=HALF_A_SECOND) as pool,
    ):
        with pool.connection():
            pass
        proxy.faults.append(Fault(has(*words), when, how))
        yield pool


@pytest.fixture
def watch(url: str) -> Generator[Connection]:
    """A connection past the proxy."""
    with connect(url, autocommit=True) as conn:
        yield conn


def exists(watch: Connection, key: str) -> bool:
    return watch.execute("select from tasks where key = $1", (key,)).fetchone() is not None


@pytest.mark.usefixtures("hasty")
@FAULTS
def test_lost_answer_to_a_commit_is_an_error_that_does_not_tell_whether_it_holds(
    url: str, watch: Connection, when: When, how: How
) -> None:
    calls: list[str] = []

    def create(conn: Connection) -> None:
        calls.append("create")
        tasks.create(conn, key="A", title="one")

    with fragile(url, when, how, b"commit") as pool:
        with pytest.raises(LOST):
            pool.retrying(create)
        # It is not repeated: what must not be done twice may be in it.
        assert calls == ["create"]
        # The connection is replaced.
        pool.retrying(lambda conn: tasks.create(conn, key="B", title="two"))

    assert exists(watch, "A") is (when == "after")
    assert exists(watch, "B")


@pytest.mark.usefixtures("hasty")
@FAULTS
def test_calls_that_bear_repeating_are_done_once(
    url: str, watch: Connection, when: When, how: How
) -> None:
    request = uuid4()

    def repeated(pool: Database, call: Callable[[Connection], Any]) -> Any:
        with pytest.raises(LOST):
            pool.retrying(call)
        return pool.retrying(call)

    with fragile(url, when, how, b"commit") as pool:
        made = repeated(
            pool, lambda conn: tasks.create(conn, key="A", title="one", if_exists="return")
        )
    with fragile(url, when, how, b"commit") as pool:
        claim = repeated(pool, lambda conn: claims.claim_next(conn, agent="a", request_id=request))
    held = {"task_id": claim.task_id, "token": claim.token}
    with fragile(url, when, how, b"commit") as pool:
        ended = repeated(pool, lambda conn: claims.complete(conn, note="done", **held))

    assert made.id == claim.task_id
    assert claims.complete(watch, note="done", **held) == ended
    assert tasks.get_by_key(watch, "A").status == TaskStatus.COMPLETED
    (attempt,) = claims.list_for_task(watch, "A")
    assert attempt.outcome == ClaimOutcome.COMPLETED
    assert doctor.run(watch) == []


def waits_for(watch: Connection, event: str) -> Callable[[], bool]:
    """Tell whether another session of this database waits for *event*."""

    def is_there() -> bool:
        return backend_in(watch, event) is not None

    return is_there


def backend_in(watch: Connection, event: str) -> int | None:
    row = watch.execute(
        "select pid from pg_stat_activity"
        " where datname = current_database() and wait_event = $1 and pid <> pg_backend_pid()",
        (event,),
    ).fetchone()
    return None if row is None else int(row[0])


def terminate(watch: Connection, event: str) -> None:
    """Terminate the session that waits for *event*, once it does."""
    wait_until(waits_for(watch, event))
    watch.execute("select pg_terminate_backend($1)", (backend_in(watch, event),))


def claimed(watch: Connection) -> dict[str, Any]:
    tasks.create(watch, key="A", title="one")
    claim = claims.claim_next(watch, agent="a")
    assert claim is not None
    return {"task_id": claim.task_id, "token": claim.token}


@pytest.mark.slow
def test_session_terminated_inside_a_statement_keeps_nothing(url: str, watch: Connection) -> None:
    held = claimed(watch)

    def complete(conn: Connection) -> None:
        tasks.create(conn, key="B", title="two")
        claims.complete(conn, **held)

    with Database(url, pool_min=1, pool_max=1) as pool, ThreadPoolExecutor() as threads:
        with connect(url) as holder:
            holder.execute("select from tasks for update")
            completing = threads.submit(pool.retrying, complete)
            terminate(watch, "transactionid")
            with pytest.raises(AdminShutdown):
                completing.result()
        assert not exists(watch, "B")
        assert tasks.get_by_key(watch, "A").status == TaskStatus.IN_PROGRESS

        # On a connection that took the place of the dead one.
        pool.retrying(complete)

    assert tasks.get_by_key(watch, "A").status == TaskStatus.COMPLETED
    assert doctor.run(watch) == []


@pytest.mark.slow
def test_session_terminated_inside_a_commit_keeps_nothing(url: str, watch: Connection) -> None:
    held = claimed(watch)
    # Deferred checks are the first part of a commit.
    watch.execute(
        "create function wait_at_commit() returns trigger language plpgsql"
        " as 'begin perform pg_advisory_xact_lock(17); return null; end'"
    )
    watch.execute(
        "create constraint trigger wait_at_commit after update on tasks"
        " deferrable initially deferred for each row execute function wait_at_commit()"
    )

    with Database(url, pool_min=1, pool_max=1) as pool, ThreadPoolExecutor() as threads:
        with connect(url) as holder:
            holder.execute("select pg_advisory_xact_lock(17)")
            completing = threads.submit(pool.retrying, lambda conn: claims.complete(conn, **held))
            terminate(watch, "advisory")
            with pytest.raises(AdminShutdown):
                completing.result()
        assert tasks.get_by_key(watch, "A").status == TaskStatus.IN_PROGRESS

        pool.retrying(lambda conn: claims.complete(conn, **held))

    assert tasks.get_by_key(watch, "A").status == TaskStatus.COMPLETED
    assert doctor.run(watch) == []


@pytest.mark.slow
def test_session_terminated_after_the_flush_of_its_commit_kept_everything(
    url: str, watch: Connection
) -> None:
    held = claimed(watch)

    def complete(conn: Connection) -> Any:
        return claims.complete(conn, note="done", **held)

    def complete_and_wait(conn: Connection) -> Any:
        conn.execute("set synchronous_commit = on")
        return complete(conn)

    with Database(url, pool_min=1, pool_max=1) as pool, ThreadPoolExecutor() as threads:
        completing = threads.submit(pool.retrying, complete_and_wait)
        terminate(watch, "SyncRep")
        with pytest.raises(OperationalError):
            completing.result()
        assert tasks.get_by_key(watch, "A").status == TaskStatus.COMPLETED

        # Repeated with the same token it is the same completion.
        assert pool.retrying(complete).status == TaskStatus.COMPLETED

    (attempt,) = claims.list_for_task(watch, "A")
    assert attempt.outcome == ClaimOutcome.COMPLETED
    assert doctor.run(watch) == []


def test_completion_whose_answer_was_lost_is_refused_once_another_agent_holds_the_task(
    url: str, watch: Connection
) -> None:
    held = claimed(watch)
    with fragile(url, "before", "cut", b"commit") as pool:
        with pytest.raises(LOST):
            pool.retrying(lambda conn: claims.complete(conn, **held))
        watch.execute("update tasks set lease_expires_at = now() - interval '1 second'")
        assert claims.claim_next(watch, agent="b") is not None

        with pytest.raises(ClaimLostError):
            pool.retrying(lambda conn: claims.complete(conn, **held))

    outcomes = [attempt.outcome for attempt in claims.list_for_task(watch, "A")]
    assert outcomes == [ClaimOutcome.LAPSED, None]
