"""Roles: each kind does what it needs, and no more."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from typing import LiteralString, cast

import psycopg
import pytest
from psycopg import IsolationLevel, RawCursor

from taskdb import migrations
from taskdb.cli.common import queries_of
from taskdb.database import roles
from taskdb.exchange.archive import export_workspace
from taskdb.models import NewTask, NewWorkflow, TaskStatus
from taskdb.queries import (
    archive,
    claims,
    dependencies,
    epics,
    events,
    features,
    files,
    history,
    pauses,
    subtasks,
    tasks,
    workflows,
)
from taskdb.query.check.contract import variants
from tests.database.privileges import Conn, Refused, execute

AREAS, *_ = queries_of(None)

OF_THE_OWNER = {"archive.begin_restore", "archive.restore_rows", "archive.finish_restore"}
"""A restore turns triggers off and writes history and tokens as they were: the owner's right."""


def refusal(conn: Conn, text: str, count: int) -> str | None:
    """Let the server begin a statement, without running it; return what the role may not do."""
    cursor = RawCursor(conn)
    try:
        with conn.transaction(force_rollback=True):
            if text.startswith("copy"):
                with cursor.copy(cast("LiteralString", text)):
                    return None
            cursor.execute("set local plan_cache_mode = force_generic_plan", prepare=False)
            cursor.execute(cast("LiteralString", f"prepare tried as {text}"), prepare=False)
            nulls = f"({', '.join(['null'] * count)})" if count else ""
            cursor.execute(cast("LiteralString", f"explain execute tried {nulls}"), prepare=False)
            cursor.execute("deallocate tried", prepare=False)
    except Refused as exc:
        cursor.execute("deallocate all", prepare=False)
        return exc.diag.message_primary
    return None


def test_an_app_may_run_every_query_that_services_call(
    as_role: Callable[[roles.Kind], Conn],
) -> None:
    app = as_role("app")

    refused = {
        query.name: reason
        for query in AREAS
        for variant in variants(query)
        if (reason := refusal(app, variant.text, len(variant.parameters)))
    }

    assert {name: refused[name] for name in sorted(refused.keys() - OF_THE_OWNER)} == {}
    assert refused.keys() == OF_THE_OWNER
    with pytest.raises(Refused):
        archive.restore_sequence(app, name="task_number", last_value=1, is_called=False)


def test_a_reader_reads_and_writes_nothing(
    owner: Conn, as_role: Callable[[roles.Kind], Conn]
) -> None:
    tasks.create(owner, key="T-1", title="One")

    reader = as_role("reader")

    assert tasks.get_by_key(reader, key="T-1").title == "One"
    assert len(history.list_for_task(reader, key="T-1")) == 1
    assert dependencies.why_not_ready(reader, key="T-1") == []
    migrations.require(reader)
    with pytest.raises(Refused):
        tasks.create(reader, title="Two")
    with pytest.raises(Refused):
        claims.claim_next(reader, agent="ann")


def test_a_worker_works_and_does_nothing_else(
    owner: Conn, as_role: Callable[[roles.Kind], Conn]
) -> None:
    for key in ("T-1", "T-2", "T-3", "T-4"):
        tasks.create(owner, key=key, title=key)
    dependencies.add_dependency(owner, task="T-4", depends_on="T-1")
    worker = as_role("worker")

    one = claims.claim(worker, key="T-1", agent="ann")
    assert one is not None
    claims.heartbeat(worker, task_id=one.task_id, token=one.token, progress=50)
    done = claims.complete(worker, task_id=one.task_id, token=one.token, actual_hours=Decimal(1))
    two = claims.claim(worker, key="T-2", agent="ann")
    assert two is not None
    claims.fail(worker, task_id=two.task_id, token=two.token, error="no", retry_in=None)
    three = claims.claim(worker, key="T-3", agent="ann")
    assert three is not None
    claims.release(worker, task_id=three.task_id, token=three.token)

    assert done.status is TaskStatus.COMPLETED
    assert tasks.get_by_key(owner, key="T-2").status is TaskStatus.FAILED
    assert tasks.get_by_key(owner, key="T-3").status is TaskStatus.PENDING
    assert tasks.get_by_key(owner, key="T-4").status is TaskStatus.PENDING, "a trigger opened it"
    for act in (
        lambda: tasks.create(worker, title="Five"),
        lambda: tasks.delete(worker, key="T-3"),
        lambda: tasks.update(worker, key="T-3", title="Mine"),
        lambda: tasks.update_status(worker, key="T-3", status=TaskStatus.COMPLETED),
        lambda: dependencies.add_dependency(worker, task="T-3", depends_on="T-4"),
    ):
        with pytest.raises(Refused):
            act()


def test_a_worker_cannot_end_what_nobody_claimed(
    owner: Conn, as_role: Callable[[roles.Kind], Conn]
) -> None:
    tasks.create(owner, key="T-1", title="One")
    tasks.create(owner, key="T-2", title="Two")
    assert claims.claim(owner, key="T-2", agent="ann") is not None
    worker = as_role("worker")

    for change in ("completed' where key = 'T-1", "cancelled' where key = 'T-2"):
        with pytest.raises(psycopg.errors.CheckViolation, match="has no claim that ends as"):
            execute(worker, f"update tasks set status_ending = '{change}'")

    assert tasks.get_by_key(owner, key="T-1").status is TaskStatus.PENDING
    assert tasks.get_by_key(owner, key="T-2").status is TaskStatus.IN_PROGRESS


def test_an_app_does_all_that_the_typed_functions_do(
    as_role: Callable[[roles.Kind], Conn],
) -> None:
    conn = as_role("app")

    epic = epics.create(conn, key="E04", title="Epic")
    feature = features.create(conn, epic_id=epic.id, key="E04-F01", title="Feature")
    tasks.create(conn, key="T-1", title="One", feature_id=feature.id)
    tasks.create(conn, key="T-2", title="Two", feature_id=feature.id)
    numbered = tasks.create(conn, title="The server makes the key")
    dependencies.add_dependency(conn, task="T-2", depends_on="T-1")
    tasks.create_many(conn, [NewTask(key="T-8", title="Eight")], [])
    subtasks.append(conn, task=numbered.key, title="A line")
    files.put(conn, task="T-1", path="a.py", content="1")
    claim = claims.claim_next(conn, agent="ann")
    assert claim is not None
    claims.complete(conn, task_id=claim.task_id, token=claim.token)
    tasks.update_status(conn, key="T-1", status=TaskStatus.CANCELLED, force=True)
    dependencies.remove_dependency(conn, task="T-2", depends_on="T-1")
    tasks.delete(conn, key="T-2")
    epics.delete(conn, key="E04")

    assert [entry.status for entry in tasks.list_tasks(conn)].count(TaskStatus.PENDING) >= 1


@pytest.mark.parametrize("level", IsolationLevel)
def test_an_app_pauses_claiming_and_creates_while_it_is_paused(
    as_role: Callable[[roles.Kind], Conn], level: IsolationLevel
) -> None:
    app = as_role("app")
    pauses.pause(app, agent_type="tester")

    app.isolation_level = level
    with app.transaction():
        created = tasks.create(app, title="One", agent_type="tester")
        tasks.create(app, title="Two")
    with app.transaction():
        claim = claims.claim_next(app, agent="ann")
    app.isolation_level = None

    assert claim is not None
    assert claim.task_id != created.id
    assert pauses.resume(app, agent_type="tester") == 1
    with app.transaction():
        assert claims.claim_next(app, agent="ann", agent_type="tester") is not None


def test_an_app_deletes_a_workflow_and_keeps_its_tasks(
    as_role: Callable[[roles.Kind], Conn],
) -> None:
    app = as_role("app")
    workflow = workflows.create(app, NewWorkflow(name="Release"))
    task = tasks.create(app, title="One", workflow_id=workflow.id)

    workflows.delete(app, id=workflow.id)

    assert tasks.get(app, id=task.id).workflow_id is None


@pytest.mark.slow
def test_an_app_exports_the_plan_and_a_reader_does_not(
    owner: Conn, as_role: Callable[[roles.Kind], Conn]
) -> None:
    tasks.create(owner, key="T-1", title="One")
    written = BytesIO()

    export_workspace(as_role("app"), written)

    assert b'"T-1"' in written.getvalue()
    with pytest.raises(Refused):
        archive.list_rows(as_role("reader"), table_name="tasks")


@pytest.mark.slow
def test_a_worker_waits_and_is_woken_by_an_app(as_role: Callable[[roles.Kind], Conn]) -> None:
    app, worker = as_role("app"), as_role("worker")

    assert events.start_waiting(worker)
    with app.transaction():
        tasks.create(app, title="One")
        woken = events.wake(app)

    assert woken
    assert [notice.channel for notice in worker.notifies(timeout=5, stop_after=1)]
    assert events.stop_waiting(worker)
