"""Files and slots that are given back wake those who wait, however they are given back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from taskdb import Database
from taskdb.database import Connection
from taskdb.models import TaskStatus
from taskdb.queries import claims, implementation_tasks, specs, tasks
from tests.workers.test_events import claim, heard


def deletes_who_runs(conn: Connection) -> None:
    tasks.delete(conn, "A")


def unassigns_its_files(conn: Connection) -> None:
    implementation_tasks.update(conn, "A", assigned_files=[])


@pytest.mark.parametrize("cause", [deletes_who_runs, unassigns_its_files])
def test_files_that_are_given_back_wake(
    database: Database, waiting: Connection, cause: Callable[[Connection], None]
) -> None:
    with database.connection() as conn:
        spec = specs.create(conn, title="S", content="text").key
        for key in "AB":
            implementation_tasks.create(
                conn, key=key, spec=spec, scope="all", assigned_files=["file"]
            )
        claims.claim(conn, key="A", agent="x")
    heard(waiting)

    database.retrying(cause)

    assert len(heard(waiting)) == 1


def cancels_who_was_offered_the_slot(conn: Connection) -> None:
    tasks.update_status(conn, "B", status=TaskStatus.CANCELLED)


@pytest.mark.parametrize("cause", [deletes_who_runs, cancels_who_was_offered_the_slot])
def test_slot_that_is_given_back_wakes(
    database: Database, waiting: Connection, cause: Callable[[Connection], None]
) -> None:
    with database.connection() as conn:
        for key in "ABC":
            tasks.create(conn, key=key, title=key, concurrency_key="k", agent_type="coder")
        running = claims.claim(conn, key="A", agent="x")
        assert running
    # The others wait for its slot.
    assert claim(database) is None
    if cause is cancels_who_was_offered_the_slot:
        with database.connection() as conn:
            claims.complete(conn, task_id=running.task_id, token=running.token)
            # An agent of another type offers it.
            claims.claim_next(conn, agent="x", agent_type="tester")
    heard(waiting)

    database.retrying(cause)

    assert len(heard(waiting)) == 1
