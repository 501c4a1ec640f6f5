"""The typed functions on tasks and their parts: list, change, find, order, and their components.

Transitions and dependencies of a task are in test_tasks.py, test_claims.py and test_graph.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.errors import IntegrityError, NotFoundError, ValidationError, VersionConflictError
from taskdb.models.tasks import NewTask, TaskSummary
from taskdb.models.types import TaskStatus
from taskdb.queries import (
    claims,
    dependencies,
    epics,
    features,
    files,
    history,
    search,
    subtasks,
    tasks,
)
from tests.plans import Plan

SOON = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def varied(conn: psycopg.Connection, plan: Plan) -> Plan:
    """The small plan, and tasks beside it that differ in each field that lists filter by."""
    top = tasks.create(conn, key="top", title="Top", created_by="ann")
    tasks.create(conn, key="typed", title="Typed", agent_type="coder", priority=2)
    tasks.create(conn, key="held", title="Held", assigned_agent="bob", priority=9)
    tasks.create(conn, key="later", title="Later", scheduled_at=SOON, agent_type="coder")
    tasks.create(conn, key="part", title="Part", parent_id=top.id, priority=1)
    tasks.update_status(conn, key="typed", status=TaskStatus.IN_PROGRESS)
    return plan


def keys(rows: list[TaskSummary]) -> set[str]:
    return {row.key for row in rows}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": TaskStatus.IN_PROGRESS}, {"typed"}),
        ({"agent_type": "coder"}, {"typed", "later"}),
        ({"assigned_agent": "bob"}, {"held"}),
        ({"priority": 9}, {"held"}),
        ({"at_least": 2}, {"typed", "part"}),
        ({"due_by": SOON}, {"later"}),
        ({"due_by": SOON - timedelta(seconds=1)}, set()),
        ({"created_by": "ann"}, {"top"}),
        ({"agent_type": "coder", "status": TaskStatus.PENDING}, {"later"}),
        ({"agent_type": "coder", "at_least": 2, "status": TaskStatus.IN_PROGRESS}, {"typed"}),
        ({"agent_type": "coder", "assigned_agent": "bob"}, set()),
    ],
)
def test_each_filter_lists_its_tasks_and_no_others(
    conn: psycopg.Connection, varied: Plan, filters: dict[str, Any], expected: set[str]
) -> None:
    assert keys(tasks.list_tasks(conn, **filters)) == expected


def test_tasks_are_listed_by_feature_epic_and_parent(
    conn: psycopg.Connection, varied: Plan
) -> None:
    epic = epics.get_by_key(conn, key=varied.epic)
    feature = features.get_by_key(conn, key=varied.features[1])
    top = tasks.get_by_key(conn, key="top")

    assert keys(tasks.list_tasks(conn, epic_id=epic.id)) == set(varied.tasks) - {varied.chore}
    assert keys(tasks.list_tasks(conn, feature_id=feature.id)) == {varied.docs, varied.release}
    assert keys(tasks.list_tasks(conn, parent_id=top.id)) == {"part"}
    assert (
        keys(
            tasks.list_tasks(
                conn, epic_id=epic.id, feature_id=feature.id, status=TaskStatus.PENDING
            )
        )
        == set()
    )


def test_pages_follow_each_other_without_gap_or_repetition(
    conn: psycopg.Connection, varied: Plan
) -> None:
    """All tasks of one transaction have the same created_at: the id decides."""
    whole = tasks.list_tasks(conn, limit=10_000)

    paged: list[TaskSummary] = []
    page = tasks.list_tasks(conn, limit=3)
    while page:
        paged += page
        last = page[-1]
        page = tasks.list_tasks(conn, limit=3, after_created_at=last.created_at, after_id=last.id)

    assert paged == whole
    assert len(whole) == 11
    assert [(row.created_at, row.id) for row in whole] == sorted(
        ((row.created_at, row.id) for row in whole), reverse=True
    )


def test_half_a_page_mark_is_refused(conn: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="after_id"):
        tasks.list_tasks(conn, after_id=uuid4())


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_limit_outside_its_range_is_refused(conn: psycopg.Connection, limit: int) -> None:
    with pytest.raises(ValidationError, match="limit must be between 1 and 10000"):
        tasks.list_tasks(conn, limit=limit)


def test_list_blocked_names_the_open_blockers(conn: psycopg.Connection, plan: Plan) -> None:
    tasks.update_status(
        conn, key=plan.chore, status=TaskStatus.BLOCKED, blocked_reason="waits for words"
    )

    blocked = {task.key: task for task in tasks.list_blocked(conn)}

    assert set(blocked) == {plan.build, plan.test, plan.docs, plan.release, plan.chore}
    assert sorted(blocked[plan.release].open_blockers) == sorted([plan.docs, plan.test])
    assert blocked[plan.docs].open_blockers == [plan.build]
    assert (blocked[plan.chore].open_blockers, blocked[plan.chore].blocked_reason) == (
        [],
        "waits for words",
    )


def test_get_and_get_by_key_return_the_same_task(conn: psycopg.Connection, plan: Plan) -> None:
    task = tasks.get_by_key(conn, key=plan.docs)

    assert tasks.get(conn, id=task.id) == task
    with pytest.raises(NotFoundError):
        tasks.get(conn, id=uuid4())


def test_ids_by_key_leaves_out_what_does_not_exist(conn: psycopg.Connection, plan: Plan) -> None:
    found = tasks.ids_by_key(conn, keys=[plan.chore, "nobody"])

    assert [row.key for row in found] == [plan.chore]


def test_update_changes_what_is_given_and_nothing_else(
    conn: psycopg.Connection, plan: Plan
) -> None:
    before = tasks.update(conn, key=plan.chore, description="Words", complexity_score=7)

    after = tasks.update(conn, key=plan.chore, title="New", actual_hours=Decimal("1.25"))

    changed = {name for name, value in before.to_dict().items() if after.to_dict()[name] != value}
    assert changed == {"title", "actual_hours", "updated_at", "version"}
    assert (after.title, after.actual_hours) == ("New", Decimal("1.25"))
    assert tasks.get_by_key(conn, key=plan.chore) == after


def test_an_edit_that_ends_a_task_counts_as_one(conn: psycopg.Connection, plan: Plan) -> None:
    """Fewer attempts than have failed leave none: the edit fails the task."""
    claim = claims.claim(conn, key=plan.chore, agent="ada")
    assert claim
    claims.fail(
        conn, task_id=claim.task_id, token=claim.token, error="no", retry_in=timedelta(hours=1)
    )
    before = tasks.get_by_key(conn, key=plan.chore)

    after = tasks.update(conn, key=plan.chore, title="Changed", max_attempts=1)

    assert (after.status, after.version) == (TaskStatus.FAILED, before.version + 1)
    with pytest.raises(VersionConflictError):
        tasks.update(conn, key=plan.chore, title="Mine", if_version=before.version)


def test_update_with_none_empties_a_field_and_without_it_leaves_it(
    conn: psycopg.Connection, plan: Plan
) -> None:
    tasks.update(conn, key=plan.chore, description="Words", metadata={"a": [1, None]})

    kept = tasks.update(conn, key=plan.chore)
    emptied = tasks.update(conn, key=plan.chore, description=None, metadata=None)

    assert (kept.description, kept.metadata) == ("Words", {"a": [1, None]})
    assert (emptied.description, emptied.metadata) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "x" * 501),
        ("title", None),
        ("priority", 0),
        ("priority", 11),
        ("priority", "high"),
        ("complexity_score", 101),
        ("estimated_hours", Decimal("-0.01")),
        ("actual_hours", Decimal("NaN")),
        ("actual_hours", Decimal("sNaN")),
        ("agent_type", ""),
        ("metadata", ["not", "an", "object"]),
        ("metadata", {"number": float("nan")}),
        ("scheduled_at", datetime(2030, 1, 1)),
        ("max_attempts", 0),
        ("feature_id", "not-a-uuid"),
    ],
)
def test_update_refuses_what_breaks_a_rule_and_names_the_field(
    conn: psycopg.Connection, plan: Plan, field: str, value: object
) -> None:
    arguments: dict[str, Any] = {field: value}

    with pytest.raises(ValidationError) as refused:
        tasks.update(conn, key=plan.chore, **arguments)

    assert refused.value.field is not None
    assert refused.value.field.startswith(field)
    assert tasks.get_by_key(conn, key=plan.chore).title == f"Task {plan.chore}"


def test_update_of_no_task_is_not_found(conn: psycopg.Connection) -> None:
    with pytest.raises(NotFoundError):
        tasks.update(conn, key="nobody", title="New")


def test_update_refuses_a_feature_that_does_not_exist(conn: psycopg.Connection, plan: Plan) -> None:
    with pytest.raises(IntegrityError, match="feature_id"), conn.transaction():
        tasks.update(conn, key=plan.chore, feature_id=uuid4())


def test_stream_yields_what_the_list_returns(conn: psycopg.Connection, varied: Plan) -> None:
    whole = tasks.list_tasks(conn, limit=10_000)

    assert list(tasks.list_tasks.stream(conn, limit=10_000)) == whole
    assert list(history.recent.stream(conn, limit=5)) == history.recent(conn, limit=5)


def test_batch_sends_many_changes_and_returns_each_result(
    conn: psycopg.Connection, plan: Plan
) -> None:
    lines = subtasks.append.batch(
        conn, [{"task": plan.chore, "title": title} for title in ("one", "two", "three")]
    )
    updated = tasks.update.batch(
        conn, [{"key": plan.chore, "priority": 2}, {"key": plan.docs, "description": None}]
    )

    assert [line.position for line in lines] == [1, 2, 3]
    assert [(task.key, task.priority) for task in updated] == [(plan.chore, 2), (plan.docs, 5)]


async def test_same_functions_await_on_an_async_connection(aconn: psycopg.AsyncConnection) -> None:
    epic = await epics.create(aconn, key="E01", title="Async")
    feature = await features.create(aconn, epic_id=epic.id, key="E01-F01", title="Async")
    made = await tasks.create_many(
        aconn,
        [
            NewTask(key="a", title="Dollar quotes", feature_id=feature.id),
            NewTask(key="b", title="Below", parent="a", feature_id=feature.id),
        ],
    )
    await subtasks.append(aconn, task="a", title="one")
    file = await files.put(aconn, task="a", path="x", content="y")

    assert made.task_count == 2
    assert [node.key for node in await tasks.hierarchy(aconn, key="a")] == ["a", "b"]
    assert [match.key for match in await search.find_tasks(aconn, words="doll*")] == ["a"]
    assert [task.key for task in await tasks.find_similar(aconn, title="Dollar quote")] == ["a"]
    assert (await files.get(aconn, task="a", path="x")).sha256 == file.sha256
    assert [entry.key for entry in await history.recent(aconn, limit=1)] != []
    assert await features.update_progress(aconn, key="E01-F01") == 0
    assert {task.key for task in await tasks.list_tasks(aconn, epic_id=epic.id)} == {"a", "b"}
    with pytest.raises(NotFoundError):
        await tasks.get(aconn, id=uuid4())


async def test_stream_and_batch_on_an_async_connection(aconn: psycopg.AsyncConnection) -> None:
    made = await tasks.create.batch(
        aconn, [{"key": f"t{number}", "title": "Task"} for number in range(5)]
    )

    streamed = [row.key async for row in tasks.list_tasks.stream(aconn, limit=10)]

    assert [task.key for task in made] == ["t0", "t1", "t2", "t3", "t4"]
    assert sorted(streamed) == sorted(task.key for task in made)


def test_why_an_unknown_task_is_not_ready_is_an_error(conn: psycopg.Connection) -> None:
    with pytest.raises(NotFoundError, match="NOWHERE"):
        dependencies.why_not_ready(conn, "NOWHERE")


async def test_why_an_unknown_task_is_not_ready_is_an_awaited_error(
    aconn: psycopg.AsyncConnection,
) -> None:
    with pytest.raises(NotFoundError, match="NOWHERE"):
        await dependencies.why_not_ready(aconn, "NOWHERE")
