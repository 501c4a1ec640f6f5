"""Tasks behind a failure: they wait, end with it, or are its remedy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import CircularDependencyError
from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, dependencies, history, tasks
from tests.plans import make_tasks

Connection = psycopg.Connection[Any]
REQUIRES, BLOCKS = DependencyType.REQUIRES, DependencyType.BLOCKS
WITH, COMPENSATES = DependencyType.CANCELLED_WITH, DependencyType.COMPENSATES
FAILED, CANCELLED, COMPLETED = TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.COMPLETED
PENDING, ARCHIVED = TaskStatus.PENDING, TaskStatus.ARCHIVED


def wait(conn: Connection, task: str, kind: DependencyType, blocker: str) -> None:
    dependencies.add_dependency(conn, task=task, depends_on=blocker, dependency_type=kind)


def plan(conn: Connection, *edges: str) -> None:
    """Make tasks and dependencies, each given as "task kind blocker"."""
    parts = [edge.split() for edge in edges]
    make_tasks(conn, *sorted({key for task, _, blocker in parts for key in (task, blocker)}))
    for task, kind, blocker in parts:
        wait(conn, task, DependencyType(kind), blocker)


def end(conn: Connection, key: str, status: TaskStatus, **given: Any) -> None:
    tasks.update_status(conn, key=key, status=status, force=True, **given)


def statuses(conn: Connection) -> dict[str, str]:
    found = conn.execute(b"select key, status::text from tasks order by key").fetchall()
    assert doctor.run(conn) == []
    return dict(found)


def test_a_failure_cancels_what_is_bound_to_it_and_only_that(conn: Connection) -> None:
    plan(conn, "b cancelled_with a", "c cancelled_with b", "d requires a", "e requires c")
    claim = claims.claim(conn, key="a", agent="ada")
    assert claim

    claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no disk")

    assert statuses(conn) == {
        "a": "failed",
        "b": "cancelled",
        "c": "cancelled",
        "d": "blocked",
        "e": "blocked",
    }
    last = history.list_for_task(conn, key="c")[-1]
    assert (last.agent, last.note, last.forced) == ("taskdb", "a", False)


def test_a_retry_is_no_failure(conn: Connection) -> None:
    plan(conn, "b cancelled_with a", "c compensates a")
    claim = claims.claim(conn, key="a", agent="ada")
    assert claim

    claims.fail(
        conn, task_id=claim.task_id, token=claim.token, error="no", retry_in=timedelta(hours=1)
    )

    assert statuses(conn) == {"a": "pending", "b": "blocked", "c": "blocked"}


def test_completion_starts_what_is_bound_to_it(conn: Connection) -> None:
    plan(conn, "b cancelled_with a")

    end(conn, "a", COMPLETED)
    end(conn, "a", ARCHIVED)

    assert statuses(conn) == {"a": "archived", "b": "pending"}


def test_a_compensation_runs_only_if_its_blocker_fails(conn: Connection) -> None:
    plan(conn, "undo compensates a", "undo2 compensates b", "undo3 compensates c")

    end(conn, "a", FAILED)
    end(conn, "b", COMPLETED)
    end(conn, "c", CANCELLED)

    found = statuses(conn)
    assert (found["undo"], found["undo2"], found["undo3"]) == ("pending", "cancelled", "cancelled")
    assert claims.claim(conn, key="undo", agent="ada")


def test_a_failure_that_is_put_away_needs_no_compensation(conn: Connection) -> None:
    plan(conn, "undo compensates a", "undo2 compensates b")
    end(conn, "a", FAILED)
    end(conn, "b", CANCELLED)

    end(conn, "a", ARCHIVED)
    end(conn, "b", ARCHIVED)

    found = statuses(conn)
    assert (found["undo"], found["undo2"]) == ("cancelled", "cancelled")


def test_what_is_in_progress_goes_on(conn: Connection) -> None:
    plan(conn, "b cancelled_with a", "c cancelled_with b")
    end(conn, "b", TaskStatus.IN_PROGRESS)

    end(conn, "a", FAILED)

    assert statuses(conn) == {"a": "failed", "b": "in_progress", "c": "blocked"}


def goes_back(conn: Connection, how: str) -> None:
    """Claim b, let a fail, and put b back to wait."""
    claim = claims.claim(conn, key="b", agent="ada")
    assert claim
    of_claim: dict[str, Any] = {"task_id": claim.task_id, "token": claim.token}
    end(conn, "a", FAILED)
    match how:
        case "released":
            claims.release(conn, **of_claim)
        case "retried":
            claims.fail(conn, **of_claim, error="no", retry_in=timedelta(0))
        case "lapsed":
            conn.execute(b"update tasks set lease_expires_at = now() where key = 'b'")
            assert claims.claim(conn, key="b", agent="bob") is None
        case "rejected":
            claims.submit(conn, **of_claim)
            end(conn, "b", PENDING)
        case _:
            tasks.update_status(conn, key="b", status=TaskStatus.BLOCKED, blocked_reason="rain")


@pytest.mark.parametrize("how", ["released", "retried", "lapsed", "rejected", "held"])
def test_what_comes_back_to_wait_ends_with_its_blocker(conn: Connection, how: str) -> None:
    plan(conn, "b cancelled_with a", "c cancelled_with b", "d requires b")
    end(conn, "a", COMPLETED)

    goes_back(conn, how)

    assert statuses(conn) == {"a": "failed", "b": "cancelled", "c": "cancelled", "d": "blocked"}
    back, ended = history.list_for_task(conn, key="b")[-2:]
    assert (back.old_status, back.new_status) in [
        ("in_progress", "blocked"),
        ("in_review", "blocked"),
    ]
    assert (ended.agent, ended.note) == ("taskdb", "a")
    tasks.requeue(conn, keys=["a"])
    assert statuses(conn) == {"a": "pending", "b": "blocked", "c": "blocked", "d": "blocked"}


def test_a_task_whose_attempts_are_cut_short_ends_as_one_that_fails(conn: Connection) -> None:
    plan(conn, "b cancelled_with a", "c compensates a")
    claim = claims.claim(conn, key="a", agent="ann")
    assert claim
    claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no", retry_in=timedelta(0))

    tasks.update(conn, "a", max_attempts=1)

    assert statuses(conn) == {"a": "failed", "b": "cancelled", "c": "pending"}


def test_what_comes_back_has_no_attempt_left_and_failed(conn: Connection) -> None:
    plan(conn, "b cancelled_with a")
    end(conn, "a", COMPLETED)
    tasks.update(conn, key="b", max_attempts=1)

    goes_back(conn, "retried")

    assert statuses(conn) == {"a": "failed", "b": "failed"}


def test_what_a_person_reopens_waits_for_its_dead_blocker(conn: Connection) -> None:
    plan(conn, "b cancelled_with a")
    end(conn, "a", FAILED)

    end(conn, "b", PENDING)

    assert statuses(conn) == {"a": "failed", "b": "blocked"}
    assert [row.key for row in dependencies.list_stuck(conn)] == ["b"]


def test_a_removed_dependency_takes_what_ended_by_it_up_again(conn: Connection) -> None:
    plan(
        conn,
        "b cancelled_with a",
        "c cancelled_with b",
        "d cancelled_with a",
        "d cancelled_with z",
        "e cancelled_with a",
        "f requires a",
    )
    end(conn, "e", CANCELLED, agent="ada")
    end(conn, "z", FAILED)
    end(conn, "a", FAILED)

    for key in ("b", "d", "e"):
        dependencies.remove_dependency(conn, task=key, depends_on="a")

    assert statuses(conn) == {
        "a": "failed",
        "b": "pending",
        "c": "blocked",
        "d": "cancelled",
        "e": "cancelled",
        "f": "blocked",
        "z": "failed",
    }
    last = history.list_for_task(conn, key="b")[-1]
    assert (last.agent, last.note, last.forced) == ("taskdb", "a: dependency removed", True)
    dependencies.remove_dependency(conn, task="d", depends_on="z")
    assert statuses(conn)["d"] == "pending"


def test_a_deleted_blocker_takes_nothing_up_again(conn: Connection) -> None:
    plan(conn, "b cancelled_with a", "c cancelled_with b")
    end(conn, "a", FAILED)

    tasks.delete(conn, key="a")

    assert statuses(conn) == {"b": "cancelled", "c": "cancelled"}


def test_a_hold_does_not_save_a_bound_task(conn: Connection) -> None:
    plan(conn, "b cancelled_with a")
    tasks.update_status(conn, key="b", status=TaskStatus.BLOCKED, blocked_reason="it rains")

    end(conn, "a", FAILED)

    assert statuses(conn)["b"] == "cancelled"


def test_requeued_work_takes_what_ended_with_it_up_again(conn: Connection) -> None:
    plan(
        conn,
        "b cancelled_with a",
        "c cancelled_with b",
        "d cancelled_with a",
        "d cancelled_with z",
        "e cancelled_with d",
        "undo compensates a",
        "plan_b compensates c",
    )
    end(conn, "z", FAILED)
    end(conn, "a", FAILED)
    before = statuses(conn)

    tasks.requeue(conn, keys=["a"])

    assert before == {
        "a": "failed",
        "b": "cancelled",
        "c": "cancelled",
        "d": "cancelled",
        "e": "cancelled",
        "plan_b": "cancelled",
        "undo": "pending",
        "z": "failed",
    }
    assert statuses(conn) == {
        **before,
        "a": "pending",
        "b": "blocked",
        "c": "blocked",
        "plan_b": "blocked",
        "undo": "blocked",
    }
    tasks.requeue(conn, keys=["z"])
    assert statuses(conn)["e"] == "blocked"


def test_what_a_person_cancelled_stays_cancelled(conn: Connection) -> None:
    plan(conn, "b cancelled_with a", "c cancelled_with b")
    end(conn, "b", CANCELLED, agent="ada")
    end(conn, "a", FAILED)

    tasks.requeue(conn, keys=["a"])

    assert statuses(conn) == {"a": "pending", "b": "cancelled", "c": "cancelled"}


def test_reopened_completion_takes_its_compensation_up_again(conn: Connection) -> None:
    plan(conn, "undo compensates a")
    end(conn, "a", COMPLETED)

    end(conn, "a", PENDING)

    assert statuses(conn) == {"a": "pending", "undo": "blocked"}


def test_what_is_bound_to_ended_work_ends_at_once(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c", "d")
    end(conn, "a", FAILED)
    end(conn, "b", COMPLETED)

    wait(conn, "c", WITH, "a")
    wait(conn, "d", COMPENSATES, "b")

    assert statuses(conn)["c"] == statuses(conn)["d"] == "cancelled"


def test_new_tasks_can_be_bound_to_ended_work(conn: Connection) -> None:
    make_tasks(conn, "a")
    end(conn, "a", FAILED)

    tasks.create_many(
        conn,
        [NewTask(title=key, key=key) for key in ("b", "c", "undo")],
        [
            NewDependency("b", "a", WITH),
            NewDependency("c", "b", WITH),
            NewDependency("undo", "a", COMPENSATES),
        ],
    )

    assert statuses(conn) == {
        "a": "failed",
        "b": "cancelled",
        "c": "cancelled",
        "undo": "pending",
    }


def test_new_tasks_come_back_with_the_ended_work_that_they_are_bound_to(conn: Connection) -> None:
    make_tasks(conn, "a")
    end(conn, "a", FAILED)
    new = [NewTask(title=key, key=key) for key in ("b", "c", "d")]
    new[2].status = CANCELLED
    tasks.create_many(
        conn,
        new,
        [NewDependency("b", "a", WITH), NewDependency("c", "b"), NewDependency("d", "a", WITH)],
    )
    entries = history.list_for_task(conn, key="b")

    tasks.requeue(conn, keys=["a"])

    # The last one was given up by its author.
    assert statuses(conn) == {"a": "pending", "b": "blocked", "c": "blocked", "d": "cancelled"}
    assert [entry.new_status for entry in entries] == ["blocked", CANCELLED]
    assert entries[0].created_at <= entries[1].created_at


def test_a_team_that_forbids_cancelling_still_has_bound_tasks_cancelled(conn: Connection) -> None:
    plan(conn, "b cancelled_with a")
    conn.execute(b"delete from task_status_transitions where new_status = 'cancelled'")

    end(conn, "a", FAILED)

    assert statuses(conn)["b"] == "cancelled"
    assert history.list_for_task(conn, key="b")[-1].forced


@pytest.mark.parametrize("kind", [WITH, COMPENSATES])
def test_bound_tasks_may_not_wait_for_each_other(conn: Connection, kind: DependencyType) -> None:
    plan(conn, "b requires a")

    with pytest.raises(CircularDependencyError) as caught:
        wait(conn, "a", kind, "b")

    assert set(caught.value.path) == {"a", "b"}


def test_a_long_chain_ends_and_comes_back(conn: Connection) -> None:
    count = 1500
    new = [NewTask(title="t", key=f"t{n}") for n in range(count)]
    edges = [NewDependency(f"t{n}", f"t{n - 1}", WITH) for n in range(1, count)]
    tasks.create_many(conn, new, edges)

    end(conn, "t0", FAILED)
    ended = {row.status: row.task_count for row in tasks.count_by_status(conn)}
    tasks.requeue(conn, keys=["t0"])

    assert ended == {FAILED: 1, CANCELLED: count - 1}
    assert {row.status: row.task_count for row in tasks.count_by_status(conn)} == {
        PENDING: 1,
        TaskStatus.BLOCKED: count - 1,
    }


def test_stuck_tasks_are_listed_with_what_they_wait_for(conn: Connection) -> None:
    plan(
        conn,
        "b requires a",
        "c requires b",
        "d blocks a",
        "e blocks gone",
        "f requires gone",
        "g requires open",
        "undo compensates b",
        "h cancelled_with b",
    )
    end(conn, "a", FAILED)
    end(conn, "gone", CANCELLED)

    found = {row.key: row.dead_blockers for row in dependencies.list_stuck(conn)}

    assert found == {
        "b": ["a"],
        "c": ["b"],
        "d": ["a"],
        "f": ["gone"],
        "h": ["b"],
        "undo": ["b"],
    }
    tasks.requeue(conn, keys=["a"])
    assert [row.key for row in dependencies.list_stuck(conn)] == ["f"]


def test_why_not_ready_names_what_can_never_start(conn: Connection) -> None:
    plan(conn, "b requires a", "c requires b", "d requires open")
    end(conn, "a", FAILED)

    def why(key: str) -> list[tuple[bool, str]]:
        return [(row.dead, row.detail) for row in dependencies.why_not_ready(conn, key)]

    assert why("b") == [(True, "requires a, which is failed")]
    assert why("c") == [(True, "requires b, which is blocked and can never start, because of a")]
    assert why("d") == [(False, "requires open, which is pending")]
    end(conn, "b", TaskStatus.IN_PROGRESS)
    assert why("c") == [(False, "requires b, which is in_progress")]


def test_what_an_agent_called_taskdb_cancelled_stays_so(conn: Connection) -> None:
    """A role may have that name as well, and is the agent of what names none."""
    plan(conn, "b cancelled_with a", "c cancelled_with b")
    end(conn, "b", CANCELLED, agent="taskdb")

    end(conn, "a", FAILED)
    end(conn, "a", PENDING)

    assert statuses(conn) == {"a": "pending", "b": "cancelled", "c": "cancelled"}


@pytest.mark.parametrize("blocked", ["", "rain"])
def test_what_a_person_reopens_behind_a_dead_blocker_is_no_finding(
    conn: Connection, blocked: str
) -> None:
    plan(conn, "b cancelled_with a", "b requires d", "b cancelled_with e")
    end(conn, "a", FAILED)

    end(conn, "b", PENDING)
    if blocked:
        tasks.update_status(conn, key="b", status=TaskStatus.BLOCKED, blocked_reason=blocked)
    end(conn, "d", COMPLETED)
    end(conn, "e", COMPLETED)

    assert statuses(conn)["b"] == "blocked"
