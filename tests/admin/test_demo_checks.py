"""The demo's checks: each finds what breaks its rule, and nothing else."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from taskdb.models.types import TaskStatus
from taskdb.queries import claims, dependencies, tasks
from taskdb.queries.admin import demo
from tests.plans import make_plan


@pytest.fixture
def done(conn: psycopg.Connection) -> psycopg.Connection:
    """The small plan, all of it done by ann, and the triggers then switched off."""
    plan = make_plan(conn)
    for key in plan.tasks:
        claim = claims.claim(conn, key=key, agent="ann")
        assert claim is not None
        claims.complete(conn, task_id=claim.task_id, token=claim.token)
    for table in ("tasks", "task_history", "task_dependencies"):
        conn.execute(f"alter table {table} disable trigger user")
    return conn


def found(conn: psycopg.Connection) -> dict[str, list[str]]:
    checks = {
        "started": demo.started_too_early,
        "once": demo.not_completed_once,
        "another": demo.completed_by_another,
        "two": demo.claimed_by_two,
    }
    rows = {name: [row.key for row in check(conn)] for name, check in checks.items()}
    return {name: keys for name, keys in rows.items() if keys}


def test_what_was_done_in_order_passes_every_check(done: psycopg.Connection) -> None:
    assert found(done) == {}
    count = demo.count_work(done, agents=["ann"])
    assert (count.claim_count, count.completed_count, count.dependency_count) == (6, 6, 6)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (
            "update task_history set created_at = created_at - interval '1 hour'"
            " where new_status = 'in_progress'"
            " and task_id = (select id from tasks where key = 'T-E01-F01-003')",
            {"started": ["T-E01-F01-003"]},
        ),
        (
            "insert into task_history (task_id, seq, old_status, new_status, agent)"
            " select id, 9, 'in_review', 'completed', 'ann' from tasks where key = 'chore'",
            {"once": ["chore"]},
        ),
        (
            "update task_history set outcome = 'failed' where outcome = 'completed'"
            " and task_id = (select id from tasks where key = 'chore')",
            {"once": ["chore"], "another": ["chore"]},
        ),
        (
            "update tasks set claim_token = claim_token + 1 where key = 'chore'",
            {"another": ["chore"]},
        ),
        (
            "insert into task_history (task_id, seq, new_status, token, outcome, agent, created_at)"
            " select task_id, seq - 3, new_status, 0,"
            " case seq when 3 then 'released'::claim_outcome end, 'bob',"
            " created_at + interval '1 minute' * (2 * seq - 5)"
            " from task_history where seq in (2, 3)"
            " and task_id = (select id from tasks where key = 'chore')",
            {"two": ["chore"]},
        ),
    ],
    ids=["started early", "twice in history", "not by claim", "old token", "held by two"],
)
def test_each_check_finds_its_damage(
    done: psycopg.Connection, damage: LiteralString, expected: dict[str, list[str]]
) -> None:
    done.execute(damage)

    assert found(done) == expected


def test_work_is_left_while_a_claim_lives(conn: psycopg.Connection) -> None:
    assert not demo.work_is_left(conn, agents=["ann"])
    tasks.create(conn, key="T", title="Something to do", assigned_agent="bob")
    assert not demo.work_is_left(conn, agents=["ann"])
    assert demo.work_is_left(conn, agents=["ann", "bob"])
    claim = claims.claim(conn, key="T", agent="bob")
    assert claim is not None
    assert demo.work_is_left(conn, agents=["ann"])
    claims.complete(conn, task_id=claim.task_id, token=claim.token)

    assert not demo.work_is_left(conn, agents=["ann", "bob"])


def test_what_is_left_open_comes_with_its_reasons(conn: psycopg.Connection) -> None:
    plan = make_plan(conn)
    tasks.update_status(conn, key=plan.design, status=TaskStatus.CANCELLED)
    tasks.create(conn, key="mine", title="Mine", assigned_agent="bob")

    left = {row.key: row for row in demo.left_open(conn)}

    assert plan.design not in left
    assert left[plan.build].reasons == ["dependency"]
    assert left[plan.build].details == [f"requires {plan.design}, which is cancelled"]
    assert left["mine"].assigned_agent == "bob"
    assert dependencies.why_not_ready(conn, key="mine") == []
