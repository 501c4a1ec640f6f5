"""Executions: how they end, their figures, and random ones against a model."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskdb.admin import doctor
from taskdb.errors import InvalidTransitionError, NotFoundError
from taskdb.models import ErrorPolicy, ExecutionStatus, NewStep, NewTask, NewWorkflow, TaskStatus
from taskdb.queries import executions, tasks, workflows
from tests.sql.test_executions import (
    Connection,
    Ended,
    begin,
    fail,
    finish,
    make_due,
    ready,
    start,
    status,
    statuses,
    step,
    succeed,
)

# The end


@pytest.mark.parametrize(
    ("end", "expected", "message"),
    [
        ("complete", Ended.COMPLETED, None),
        ("fail", Ended.FAILED, "broken"),
        ("cancel", Ended.CANCELLED, "not needed"),
    ],
)
def test_an_execution_ends_once(
    conn: Connection, end: str, expected: ExecutionStatus, message: str | None
) -> None:
    run = start(conn, step("a"), step("b"))
    begin(conn, run, "a")

    ended = finish(conn, run.id, end)

    assert (ended.status, ended.error_message) == (expected, message)
    assert ended.ended_at is not None
    assert statuses(conn, run) == {"a": "cancelled", "b": "cancelled"}
    for again in ("complete", "fail", "cancel"):
        with pytest.raises(InvalidTransitionError, match="already"), conn.transaction():
            finish(conn, run.id, again)
        with pytest.raises(NotFoundError):
            finish(conn, uuid4(), again)
    assert doctor.run(conn) == []


def test_the_tasks_of_an_execution_are_listed_and_counted_at_its_end(conn: Connection) -> None:
    run = start(conn)
    ends = [TaskStatus.COMPLETED, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.PENDING]
    tasks.create_many(
        conn,
        [
            NewTask(
                key=f"t{n}",
                title="T",
                status=end,
                workflow_id=run.workflow_id,
                workflow_execution_id=run.id,
            )
            for n, end in enumerate(ends)
        ],
    )
    tasks.create(conn, key="of none", title="T", workflow_id=run.workflow_id)

    ended = executions.complete_execution(conn, run.id, resource_usage={"cpu_seconds": 12.5})

    assert {row.key for row in executions.list_tasks(conn, run.id)} == {"t0", "t1", "t2", "t3"}
    assert (ended.total_tasks, ended.completed_tasks, ended.failed_tasks) == (4, 2, 1)
    assert ended.resource_usage == {"cpu_seconds": 12.5}


def test_what_its_runner_has_counted_is_kept(conn: Connection) -> None:
    run = start(conn)

    ended = executions.complete_execution(conn, run.id, total_tasks=10, completed_tasks=10)

    assert (ended.total_tasks, ended.completed_tasks, ended.failed_tasks) == (10, 10, 0)


# Figures


def past(conn: Connection, workflow_id: UUID, end: str, seconds: int, days_ago: int = 0) -> None:
    """Make an execution of *seconds* that began *days_ago* days ago."""
    conn.execute(
        b"insert into workflow_executions"
        b" (workflow_id, status, started_at, ended_at, total_tasks, completed_tasks)"
        b" select $1, $2::shared.execution_status, moment, moment + $3, 2, 1"
        b" from (select now() - make_interval(days => $4::int) as moment) as past",
        [workflow_id, ExecutionStatus(end), timedelta(seconds=seconds), days_ago],
    )


def test_statistics_count_all_executions_and_time_the_completed_ones(conn: Connection) -> None:
    made = workflows.create(conn, NewWorkflow(name="CI"))
    empty = workflows.create(conn, NewWorkflow(name="Empty"))
    workflows.activate(conn, made.id)
    for seconds in (10, 20, 30, 100):
        past(conn, made.id, "completed", seconds)
    past(conn, made.id, "failed", 1000)
    past(conn, made.id, "cancelled", 1000)
    executions.start_execution(conn, made.id)

    found = workflows.statistics(conn, made.id)
    none = workflows.statistics(conn, empty.id)

    counts = (found.completed_count, found.failed_count, found.cancelled_count, found.running_count)
    assert (found.execution_count, *counts) == (7, 4, 1, 1, 1)
    assert found.success_pct == Decimal("80.00")
    assert found.average_duration == timedelta(seconds=40)
    assert found.median_duration == timedelta(seconds=25)
    assert found.p95_duration == timedelta(seconds=89.5)
    assert (none.execution_count, none.success_pct, none.median_duration) == (0, None, None)
    assert workflows.list_statistics(conn) == [found, none]
    with pytest.raises(NotFoundError):
        workflows.statistics(conn, uuid4())


def test_performance_metrics_look_back_so_many_days(conn: Connection) -> None:
    made = workflows.create(conn, NewWorkflow(name="CI"))
    past(conn, made.id, "completed", 10, days_ago=1)
    past(conn, made.id, "completed", 30, days_ago=6)
    past(conn, made.id, "failed", 1, days_ago=6)
    past(conn, made.id, "completed", 1000, days_ago=8)

    week = workflows.performance_metrics(conn, made.id, days=7)
    month = workflows.performance_metrics(conn, made.id)

    assert (week.execution_count, week.completed_count, week.failed_count) == (3, 2, 1)
    assert week.success_pct == Decimal("66.67")
    assert (week.shortest_duration, week.longest_duration) == (
        timedelta(seconds=10),
        timedelta(seconds=30),
    )
    assert (week.average_duration, week.median_duration) == (timedelta(seconds=20),) * 2
    assert (week.total_tasks, week.completed_tasks, week.failed_tasks) == (6, 3, 0)
    assert (month.execution_count, month.longest_duration) == (4, timedelta(seconds=1000))
    with pytest.raises(NotFoundError):
        workflows.performance_metrics(conn, uuid4())


# All of it: random graphs, worked off at random, as an independent model says


@st.composite
def graphs(draw: st.DrawFn) -> list[NewStep]:
    """Up to seven steps, each needing some before it, with policies and conditions."""
    policies = st.sampled_from(ErrorPolicy)
    conditions = st.sampled_from([None, None, "$.on == true", "$.on == false"])
    steps = []
    for n in range(draw(st.integers(1, 7))):
        needs = draw(st.lists(st.sampled_from(range(n)), unique=True, max_size=3)) if n else []
        policy = draw(policies)
        made = step(f"s{n}", *(f"s{need}" for need in needs), on_error=policy)
        made = replace(made, condition=draw(conditions))
        steps.append(replace(made, max_attempts=2) if policy == ErrorPolicy.RETRY else made)
    return steps


def expected_ready(steps: list[NewStep], now: dict[str, str]) -> tuple[set[str], set[str]]:
    """Compute in Python the steps that can begin, and those that are skipped."""
    policy = {each.key: each.on_error for each in steps}
    skipped = {key for key, is_now in now.items() if is_now == "skipped"}
    can_begin: set[str] = set()
    for each in steps:
        if now[each.key] == "retrying":
            can_begin.add(each.key)
        elif now[each.key] == "pending":
            if set(each.needs) & skipped:
                skipped.add(each.key)
                continue
            is_done = all(
                now[need] == "completed"
                or (now[need] == "failed" and policy[need] == ErrorPolicy.CONTINUE)
                for need in each.needs
            )
            if is_done and each.condition == "$.on == false":
                skipped.add(each.key)
            elif is_done:
                can_begin.add(each.key)
    return can_begin, skipped


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=graphs(), data=st.data())
def test_random_executions_go_as_the_model_says(
    conn: Connection, steps: list[NewStep], data: st.DataObject
) -> None:
    with conn.transaction(force_rollback=True):
        run = start(conn, *steps, context={"on": True})
        while status(conn, run) == Ended.RUNNING:
            can_begin, skipped = expected_ready(steps, statuses(conn, run))
            assert set(ready(conn, run)) == can_begin
            now = statuses(conn, run)
            assert {key for key, is_now in now.items() if is_now == "skipped"} == skipped
            if not can_begin:
                executions.complete_execution(conn, run.id)
                break
            key = data.draw(st.sampled_from(sorted(can_begin)))
            if data.draw(st.booleans()):
                succeed(conn, run, key)
            else:
                fail(conn, run, key)
            make_due(conn)

        assert "pending" not in statuses(conn, run).values()
        assert doctor.run(conn) == []


def test_moments_of_an_execution_are_the_transactions(conn: Connection) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    run = start(conn)

    ended = executions.complete_execution(conn, run.id)

    assert before < ended.started_at
    assert ended.ended_at is not None
    assert ended.started_at <= ended.ended_at
