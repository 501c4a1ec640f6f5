"""An agent of the demo: what it claims, renews, leaves and answers for."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from itertools import chain, repeat

import psycopg
import pytest

from taskdb.database import connect
from taskdb.demo import WORKSPACE, agent
from taskdb.demo.crew import Crew
from taskdb.models.types import ClaimOutcome, TaskStatus
from taskdb.queries import claims, history, tasks
from taskdb.queries.admin import demo
from tests.plans import Plan, make_plan


def shift(url: str, **changes: object) -> agent.Shift:
    quick = agent.Shift(url, "taskdb", "ann", ("ann",), lease_seconds=30, work_seconds=0)
    return replace(quick, **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_an_agent_works_until_nothing_is_left(database_url: str) -> None:
    with connect(database_url) as conn:
        make_plan(conn)

    assert agent.run(shift(database_url)) == 6

    with connect(database_url) as conn:
        assert [row.status for row in tasks.list_tasks(conn)] == [TaskStatus.COMPLETED] * 6
        assert {row.agent for row in history.list_for_task(conn, key=Plan.design)} >= {"ann"}


@pytest.mark.slow
def test_an_agent_does_what_is_reserved_for_its_crew_and_leaves_the_rest(
    database_url: str,
) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="ours", title="Ours", assigned_agent="ann")
        tasks.create(conn, key="theirs", title="Theirs", assigned_agent="bob")

    assert agent.run(shift(database_url)) == 1

    with connect(database_url) as conn:
        assert tasks.get_by_key(conn, key="theirs").status is TaskStatus.PENDING


@pytest.mark.slow
def test_long_work_renews_the_lease(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.Random.uniform", lambda *_: 1.0)
    with connect(database_url) as conn:
        tasks.create(conn, key="T", title="Long")

    assert agent.run(shift(database_url, lease_seconds=0.6, work_seconds=1)) == 1

    with connect(database_url) as conn:
        outcomes = [attempt.outcome for attempt in claims.list_for_task(conn, key="T")]
    assert outcomes == [ClaimOutcome.COMPLETED]


def test_an_agent_ends_when_its_parent_has(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = chain([1], repeat(2))
    monkeypatch.setattr("taskdb.demo.agent.os.getppid", lambda: next(parents))
    with connect(database_url) as conn:
        make_plan(conn)

    assert agent.run(shift(database_url)) == 0

    with connect(database_url) as conn:
        assert {task.status for task in tasks.list_tasks(conn)} <= {
            TaskStatus.PENDING,
            TaskStatus.BLOCKED,
        }


def test_nobody_is_killed_between_two_tasks(database_url: str) -> None:
    with Crew([shift(database_url)]) as crew:
        (member,) = crew.members

        assert crew.kill_one_at_work(lambda _: None) is None

        # It was let go on, and ends by itself: there is nothing to do.
        assert member.process.wait(30) == 0
        assert crew.kill_one_at_work(lambda _: "T") is None


def test_a_crew_that_is_left_is_gone(stage: str) -> None:
    slow = shift(stage, workspace=WORKSPACE, work_seconds=600)
    with Crew([slow]) as crew:
        (member,) = crew.members
        os.kill(member.process.pid, signal.SIGSTOP)

    assert not member.lives


def test_a_claim_in_hand_is_one_whose_holder_has_said_all(database_url: str) -> None:
    name = agent.application_name("ann")
    busy = psycopg.conninfo.make_conninfo(database_url, application_name=name)
    with connect(database_url) as conn, connect(busy, autocommit=True) as ann:
        tasks.create(conn, key="T", title="In hand")
        claims.claim(conn, key="T", agent="ann")
        conn.commit()

        assert demo.claim_in_hand(conn, agent="ann", application_name=name) == "T"
        with ann.transaction():
            ann.execute("select")
            conn.commit()
            assert demo.claim_in_hand(conn, agent="ann", application_name=name) is None
