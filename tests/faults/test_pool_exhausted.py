"""More callers than connections: each is served or told, and no connection is lost on the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from taskdb import Database
from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.models import ClaimOutcome
from taskdb.queries import claims, tasks
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

CALLERS = 16
DEATHS = 200
CONNECTIONS = 2
TASKS = 60


def work_once(pool: Database, name: str) -> str | None:
    """Claim a task and complete it; return its key, or None if there was none."""
    claim = pool.retrying(lambda conn: claims.claim_next(conn, agent=name))
    if claim is None:
        return None
    pool.retrying(lambda conn: claims.complete(conn, task_id=claim.task_id, token=claim.token))
    return claim.key


def test_many_callers_share_few_connections_and_each_task_goes_to_one(url: str) -> None:
    with connect(url) as conn:
        for number in range(TASKS):
            tasks.create(conn, key=f"T-{number}", title="one")

    def work(name: str) -> list[str]:
        taken: list[str] = []
        while key := work_once(pool, name):
            taken.append(key)
        return taken

    with Database(url, pool_min=1, pool_max=CONNECTIONS) as pool:
        with ThreadPoolExecutor(CALLERS) as threads:
            taken = [key for keys in threads.map(work, map(str, range(CALLERS))) for key in keys]
        figures = pool.pool_figures()

    assert sorted(taken) == sorted(f"T-{number}" for number in range(TASKS))
    assert (figures.in_use, figures.size) == (0, CONNECTIONS)
    with connect(url) as conn:
        assert doctor.run(conn) == []


def test_caller_to_whom_no_connection_comes_is_told_and_holds_nothing(url: str) -> None:
    with connect(url) as conn:
        tasks.create(conn, key="A", title="one")
    free = threading.Event()

    def hold() -> None:
        with pool.connection():
            assert free.wait(30)

    with Database(url, pool_min=CONNECTIONS, pool_max=CONNECTIONS) as pool:
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            holding = [threads.submit(hold) for _ in range(CONNECTIONS)]
            wait_until(lambda: pool.pool_figures().in_use == CONNECTIONS)
            with (
                pytest.raises(PoolTimeout, match="couldn't get a connection") as told,
                pool.connection(timeout=timedelta(milliseconds=20)) as conn,
            ):
                claims.claim_next(conn, agent="never")
            assert isinstance(told.value, OperationalError)
            assert f"All {CONNECTIONS} connections were in use" in told.value.__notes__[0]
            free.set()
            for each in holding:
                each.result()

        claim = pool.retrying(lambda conn: claims.claim_next(conn, agent="b"))

    assert claim is not None
    with connect(url) as conn:
        (attempt,) = claims.list_for_task(conn, "A")
    assert (attempt.agent, attempt.outcome) == ("b", None)


def test_connections_that_die_while_callers_queue_are_replaced(url: str) -> None:
    """Callers that wait get the connections that take the place of the dead ones."""
    with connect(url) as conn:
        for number in range(TASKS):
            tasks.create(conn, key=f"T-{number}", title="one")
    over = threading.Event()

    def disturb() -> None:
        with connect(url, autocommit=True) as conn:
            # Not for ever: a slow machine may take longer for a connection than it then lives.
            for _ in range(DEATHS):
                if over.wait(0.01):
                    return
                conn.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                    " order by random() limit 1"
                )

    def work(name: str) -> None:
        while True:
            try:
                if work_once(pool, name) is None:
                    return
            except OperationalError:
                continue

    with Database(url, pool_min=1, pool_max=CONNECTIONS) as pool:
        with ThreadPoolExecutor(CALLERS + 1) as threads:
            disturbing = threads.submit(disturb)
            try:
                list(threads.map(work, map(str, range(CALLERS))))
            finally:
                over.set()
            disturbing.result()
        assert pool.pool_figures().in_use == 0
        with pool.connection() as conn:
            outcomes = {
                attempt.outcome
                for number in range(TASKS)
                for attempt in claims.list_for_task(conn, f"T-{number}")
            }
            assert outcomes <= {ClaimOutcome.COMPLETED, None}
            assert doctor.run(conn) == []
