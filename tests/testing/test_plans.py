"""Plans in a few lines, and time that passes without sleeping."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from taskdb.errors import CircularDependencyError, ClaimLostError, NotFoundError, ValidationError
from taskdb.models import NewStep, NewTask, NewWorkflow
from taskdb.models.types import ErrorPolicy, TaskStatus
from taskdb.queries import claims, dependencies, epics, executions, features, tasks, workflows
from taskdb.testing import lapse_leases, make_plan, pass_time

Conn = psycopg.Connection


def test_plan_has_its_epics_features_tasks_and_edges(conn: Conn) -> None:
    plan = make_plan(
        conn,
        "chore",
        features={
            "E01-F01": ["design", "build > design"],
            "E01-F02": [NewTask(key="docs", title="Write", priority=1), "release > build, docs"],
            "E02-F01": ["far > docs"],
        },
    )

    assert list(plan) == ["chore", "design", "build", "docs", "release", "far"]
    assert plan["docs"] == tasks.get_by_key(conn, key="docs").id
    assert [epic.key for epic in epics.list_epics(conn)] == ["E01", "E02"]
    assert tasks.get_by_key(conn, key="release").feature_id == (
        features.get_by_key(conn, key="E01-F02").id
    )
    assert [each.key for each in dependencies.dependencies_of(conn, key="release")] == [
        "build",
        "docs",
    ]
    assert claims.claim_next(conn, agent="ada").title == "Write"  # type: ignore[union-attr]


def test_lines_come_in_any_order_and_may_name_tasks_that_exist(conn: Conn) -> None:
    make_plan(conn, "old")

    plan = make_plan(conn, "c > b", "b > a, old", "a", NewTask(key="d", title="D"), "d > c")

    assert list(plan) == ["c", "b", "a", "d"]
    assert {each.key for each in dependencies.all_dependencies_of(conn, key="d")} == {
        *("a", "old", "b", "c")
    }


async def test_async_plan_is_the_same(aconn: psycopg.AsyncConnection) -> None:
    plan = await make_plan(aconn, features={"E01-F01": ["design", "build > design"]})

    assert await tasks.get(aconn, plan["build"]) == await tasks.get_by_key(aconn, key="build")
    assert await lapse_leases(aconn) == 0


def test_mistakes_in_a_plan_are_refused_by_name(conn: Conn) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        make_plan(conn, "a > nobody")
    with pytest.raises(CircularDependencyError), conn.transaction():
        make_plan(conn, "a > b", "b > a")
    with pytest.raises(ValidationError, match="key"):
        make_plan(conn, NewTask(title="nameless"))
    with pytest.raises(ValidationError, match="key"):
        make_plan(conn, "> a")


def test_lapsed_lease_lets_the_next_agent_in_and_refuses_the_first(conn: Conn) -> None:
    make_plan(conn, "design")
    first = claims.claim_next(conn, agent="ada")
    assert first
    assert claims.claim_next(conn, agent="bob") is None

    assert lapse_leases(conn) == 1

    second = claims.claim_next(conn, agent="bob")
    assert second
    assert second.token > first.token
    with pytest.raises(ClaimLostError):
        claims.complete(conn, task_id=first.task_id, token=first.token)


def test_leases_of_one_agent_lapse_alone(conn: Conn) -> None:
    make_plan(conn, "a", "b")
    for agent in ("ada", "bob"):
        claims.claim_next(conn, agent=agent)

    assert lapse_leases(conn, agent="ada") == 1

    taken = [claims.claim_next(conn, agent="eve") for _ in range(2)]
    assert [claim and claim.key for claim in taken] == ["a", None]


def test_schedule_comes_when_time_passes_and_a_long_lease_stays(conn: Conn) -> None:
    make_plan(conn, "held", "retried")
    held = claims.claim(conn, key="held", agent="ada", lease=timedelta(hours=2))
    claim = claims.claim(conn, key="retried", agent="ada")
    assert held
    assert claim
    claims.fail(
        conn,
        task_id=claim.task_id,
        token=claim.token,
        error="no network",
        retry_in=timedelta(minutes=50),
    )
    assert claims.claim_next(conn, agent="bob") is None

    pass_time(conn, timedelta(hours=1))

    again = claims.claim_next(conn, agent="bob")
    assert again
    assert again.key == "retried"
    assert claims.claim_next(conn, agent="bob") is None
    claims.complete(conn, task_id=held.task_id, token=held.token)
    assert tasks.get_by_key(conn, key="held").status is TaskStatus.COMPLETED


def test_retry_of_a_step_comes_when_time_passes(conn: Conn) -> None:
    steps = [
        NewStep(
            key="build",
            step_type="job",
            on_error=ErrorPolicy.RETRY,
            max_attempts=2,
            retry_delay=timedelta(hours=1),
        )
    ]
    made = workflows.create(conn, NewWorkflow(name="CI"), steps)
    workflows.activate(conn, made.id)
    run = executions.start_execution(conn, made.id)
    attempt = executions.start_step(conn, execution_id=run.id, step="build").attempt
    executions.fail_step(
        conn, execution_id=run.id, step="build", attempt=attempt, error="no network"
    )
    assert executions.next_steps(conn, run.id) == []

    pass_time(conn, timedelta(days=1))

    assert [step.key for step in executions.next_steps(conn, run.id)] == ["build"]
