"""The plans that other tests work on."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

from taskdb.database import connect
from taskdb.models.types import TaskStatus
from taskdb.queries import dependencies, tasks
from tests.plans import LARGE, LargePlan, Plan, make_plan


def test_the_small_plan_waits_as_drawn(conn: psycopg.Connection, plan: Plan) -> None:
    waiting = {key: tasks.get_by_key(conn, key=key).open_dependencies for key in plan.tasks}

    assert waiting == {
        plan.design: 0,
        plan.build: 1,
        plan.test: 1,
        plan.docs: 1,
        plan.release: 2,
        plan.chore: 0,
    }
    related = dependencies.dependencies_of(conn, key=plan.docs)
    assert [task.key for task in related] == [plan.design, plan.build]


def test_a_test_that_rolls_back_cannot_commit(conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="Explicit commit"):
        conn.commit()


@pytest.mark.parametrize("turn", [1, 2])
def test_what_one_test_commits_no_other_sees(
    conn: psycopg.Connection, database_url: str, turn: int
) -> None:
    with connect(database_url) as own:
        make_plan(own)

    assert tasks.count_by_status(conn) == []


async def test_the_asynchronous_connection_is_rolled_back_too(
    aconn: psycopg.AsyncConnection, conn: psycopg.Connection
) -> None:
    await tasks.create(aconn, key="asynchronous", title="Asynchronous")

    assert tasks.count_by_status(conn) == []
    with pytest.raises(psycopg.ProgrammingError, match="Explicit commit"):
        await aconn.commit()


def test_the_large_plan_has_ten_thousand_tasks_some_of_them_ready(large_plan: LargePlan) -> None:
    with connect(large_plan.url) as conn:
        counts = {row.status: row.task_count for row in tasks.count_by_status(conn)}
        assert tasks.get_by_key(conn, key=large_plan.key(9999)).title == "Task 9999"
        ready = tasks.count_ready(conn)

    assert sum(counts.values()) == LARGE
    assert counts[TaskStatus.COMPLETED] == LARGE // 3
    assert 0 < ready == counts[TaskStatus.PENDING] < LARGE // 2


def test_a_role_made_for_a_test_may_log_in_and_nothing_more(
    make_role: Callable[[], tuple[str, str]],
) -> None:
    name, url = make_role()

    with connect(url) as conn:
        assert conn.info.user == name
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute("select from taskdb.tasks")
