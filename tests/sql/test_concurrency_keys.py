"""Concurrency keys: at most so many tasks of a key are in progress, whoever starts them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.errors import IntegrityError, ValidationError
from taskdb.models import Claim, NewDependency, NewTask, TaskStatus
from taskdb.queries import (
    claims,
    concurrency,
    dependencies,
    implementation_tasks,
    specs,
    tasks,
)
from tests.plans import lapse_leases, make_tasks, take
from tests.rows_read import live_rows_read

Connection = psycopg.Connection[Any]


def taken(conn: Connection, limit: int = 100, **wishes: Any) -> list[str]:
    return [claim.key for claim in claims.claim_batch(conn, agent="ada", limit=limit, **wishes)]


def done(conn: Connection, claim: Claim) -> None:
    claims.complete(conn, task_id=claim.task_id, token=claim.token)


def running(conn: Connection) -> dict[str, tuple[int, int]]:
    assert doctor.run(conn) == []
    return {row.key: (row.running, row.at_most) for row in concurrency.list_keys(conn)}


def ready(conn: Connection) -> list[str]:
    found = [row.key for row in tasks.list_ready(conn)]
    assert tasks.count_ready(conn) == len(found)
    return found


def test_tasks_of_a_key_are_in_progress_one_at_a_time(conn: Connection) -> None:
    make_tasks(conn, "a", "b", concurrency_key="repo")
    make_tasks(conn, "c")
    assert ready(conn) == ["a", "b", "c"]

    first = take(conn)
    assert ready(conn) == ["c"]
    second = take(conn, "bob")

    assert (first.key, second.key) == ("a", "c")
    assert taken(conn) == []
    assert running(conn) == {"repo": (1, 1)}
    done(conn, first)
    assert ready(conn) == ["b"]
    assert take(conn).key == "b"


def test_a_batch_takes_as_many_as_there_are_slots_and_goes_on_behind(conn: Connection) -> None:
    concurrency.set_limit(conn, key="repo", at_most=2)
    make_tasks(conn, "a", "b", "c", "d", concurrency_key="repo")
    make_tasks(conn, "e", "f", "g")

    assert taken(conn, 4) == ["a", "b", "e", "f"]
    assert running(conn) == {"repo": (2, 2)}


def test_a_chain_takes_the_slot_that_it_gives_back(conn: Connection) -> None:
    make_tasks(conn, "a", "b", concurrency_key="repo")
    claim = take(conn)

    chained = claims.complete_and_claim_next(
        conn, task_id=claim.task_id, token=claim.token, agent="ada"
    )

    assert chained.next_key == "b"
    assert running(conn) == {"repo": (1, 1)}


def test_a_claim_by_key_obeys_the_limit_and_no_turn(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c", concurrency_key="repo")
    first = claims.claim(conn, key="c", agent="ada")
    assert first
    assert claims.claim(conn, key="b", agent="bob") is None
    assert taken(conn) == []

    done(conn, first)

    assert claims.claim(conn, key="b", agent="bob")
    assert running(conn) == {"repo": (1, 1)}


def test_a_request_is_answered_once(conn: Connection) -> None:
    make_tasks(conn, "a", "b", concurrency_key="repo")
    request = uuid4()

    first = claims.claim_next(conn, agent="ada", request_id=request)
    again = claims.claim_next(conn, agent="ada", request_id=request)

    assert first
    assert again
    assert first.token == again.token
    assert running(conn) == {"repo": (1, 1)}


@pytest.mark.parametrize(
    "ending", ["release", "fail", "submit", "cancel", "delete", "lapse", "block", "unkey", "rekey"]
)
def test_every_ending_gives_the_slot_back(conn: Connection, ending: str) -> None:
    make_tasks(conn, "a", "b", concurrency_key="repo")
    claim = take(conn)
    assert taken(conn) == []
    named: dict[str, Any] = {"task_id": claim.task_id, "token": claim.token}

    match ending:
        case "release":
            claims.release(conn, retry_in=timedelta(hours=1), **named)
        case "fail":
            claims.fail(conn, error="no", **named)
        case "submit":
            claims.submit(conn, **named)
        case "cancel":
            tasks.update_status(conn, "a", status=TaskStatus.CANCELLED)
        case "block":
            tasks.update_status(conn, "a", status=TaskStatus.BLOCKED, blocked_reason="rain")
        case "delete":
            tasks.delete(conn, "a")
        case "lapse":
            tasks.update(conn, "a", max_attempts=1)
            lapse_leases(conn)
        case "unkey":
            tasks.update(conn, "a", concurrency_key=None)
        case _:
            tasks.update(conn, "a", concurrency_key="other")

    assert take(conn, "bob").key == "b"
    assert running(conn)["repo"] == (1, 1)


def test_work_started_by_hand_takes_a_slot_or_is_refused(conn: Connection) -> None:
    make_tasks(conn, "a", "b", concurrency_key="repo")
    tasks.update_status(conn, "a", status=TaskStatus.IN_PROGRESS)

    with pytest.raises(IntegrityError, match="concurrency key") as caught, conn.transaction():
        tasks.update_status(conn, "b", status=TaskStatus.IN_PROGRESS)

    assert "held by a" in str(caught.value)
    assert running(conn) == {"repo": (1, 1)}


def test_a_new_task_with_a_key_is_not_begun(conn: Connection) -> None:
    with pytest.raises(ValidationError, match="status"):
        tasks.create(conn, title="a", status=TaskStatus.IN_PROGRESS, concurrency_key="repo")


def test_work_cannot_move_to_a_key_that_is_full(conn: Connection) -> None:
    make_tasks(conn, "a", concurrency_key="repo")
    make_tasks(conn, "b", concurrency_key="other")
    assert taken(conn) == ["a", "b"]

    with pytest.raises(IntegrityError, match="concurrency key"), conn.transaction():
        tasks.update(conn, "b", concurrency_key="repo")

    assert running(conn) == {"repo": (1, 1), "other": (1, 1)}


def test_a_raised_limit_lets_more_begin(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c", "d", concurrency_key="repo")
    assert taken(conn) == ["a"]

    changed = concurrency.set_limit(conn, key="repo", at_most=3)

    assert (changed.at_most, changed.running) == (3, 1)
    assert taken(conn) == ["b", "c"]
    assert running(conn) == {"repo": (3, 3)}


def test_a_lowered_limit_lets_none_begin_until_few_enough_are_left(conn: Connection) -> None:
    concurrency.set_limit(conn, key="repo", at_most=3)
    make_tasks(conn, "a", "b", "c", "d", "e", concurrency_key="repo")
    held = claims.claim_batch(conn, agent="ada", limit=5)
    assert [claim.key for claim in held] == ["a", "b", "c"]

    concurrency.set_limit(conn, key="repo", at_most=1)
    for claim in held[:2]:
        done(conn, claim)
        assert taken(conn) == []
        assert ready(conn) == []
    done(conn, held[2])

    assert taken(conn) == ["d"]
    assert running(conn) == {"repo": (1, 1)}


def test_a_lowered_limit_is_used_to_the_full(conn: Connection) -> None:
    concurrency.set_limit(conn, key="repo", at_most=3)
    make_tasks(conn, "a", "b", "c", "d", "e", concurrency_key="repo")
    held = claims.claim_batch(conn, agent="ada", limit=3)
    concurrency.set_limit(conn, key="repo", at_most=2)

    done(conn, held[0])
    done(conn, held[1])

    assert taken(conn) == ["d"]
    assert running(conn) == {"repo": (2, 2)}
    done(conn, held[2])
    assert taken(conn) == ["e"]


@pytest.mark.parametrize("at_most", [0, 1001])
def test_a_limit_has_bounds(conn: Connection, at_most: int) -> None:
    with pytest.raises(ValidationError, match="at_most"):
        concurrency.set_limit(conn, key="repo", at_most=at_most)


def test_why_not_ready_names_the_key_and_its_holders(conn: Connection) -> None:
    concurrency.set_limit(conn, key="repo", at_most=2)
    make_tasks(conn, "a", "b", "c", concurrency_key="repo")
    assert taken(conn) == ["a", "b"]

    found = dependencies.why_not_ready(conn, "c")

    assert [(row.reason, row.blocker_key, row.dead) for row in found] == [
        ("concurrency_key", "a", False),
        ("concurrency_key", "b", False),
    ]
    assert "of the concurrency key repo at most 2 are in progress" in found[0].detail


def test_priorities_hold_among_the_tasks_of_a_key(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c", "d", concurrency_key="repo")
    make_tasks(conn, "x", agent_type="docs")
    first = take(conn)
    assert taken(conn, agent_type="code") == []
    done(conn, first)
    # The slot is offered to b by a claim that can take none of them.
    assert [claim.key for claim in claims.claim_batch(conn, agent="b", limit=1)] == ["b"]
    tasks.update_status(conn, "b", status=TaskStatus.CANCELLED)

    tasks.update(conn, "d", priority=1)

    assert take(conn).key == "d"


def test_an_inherited_priority_changes_the_turn(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c", concurrency_key="repo", assigned_agent="ada")
    make_tasks(conn, "other", concurrency_key="repo", assigned_agent="bob")
    first = take(conn)
    assert taken(conn) == []
    assert claims.claim_next(conn, agent="bob") is None
    done(conn, first)
    # A claim that takes nothing offers the slot to b and other.
    assert claims.claim_next(conn, agent="eve") is None

    make_tasks(conn, "urgent", priority=1, assigned_agent="nobody")
    dependencies.add_dependency(conn, task="urgent", depends_on="c")

    assert doctor.run(conn) == []
    assert take(conn).key == "c"


@pytest.mark.parametrize("way", ["cancel", "delete", "move", "pause"])
def test_a_task_that_leaves_the_line_leaves_its_turn_to_the_next(
    conn: Connection, way: str
) -> None:
    make_tasks(conn, "a", "b", "c", concurrency_key="repo", agent_type="code")
    first = take(conn)
    assert taken(conn) == []
    done(conn, first)
    assert claims.claim_next(conn, agent="eve", agent_type="docs") is None  # offers it to b

    match way:
        case "cancel":
            tasks.update_status(conn, "b", status=TaskStatus.CANCELLED)
        case "delete":
            tasks.delete(conn, "b")
        case "move":
            tasks.update(conn, "b", agent_type="docs")
        case _:
            tasks.update_status(conn, "b", status=TaskStatus.BLOCKED, blocked_reason="rain")

    assert doctor.run(conn) == []
    assert take(conn, agent_type="code").key == "c"


def test_what_is_reserved_for_another_keeps_no_slot_from_the_others(conn: Connection) -> None:
    make_tasks(conn, "a", concurrency_key="repo")
    make_tasks(conn, "b", concurrency_key="repo", assigned_agent="gone")
    make_tasks(conn, "c", concurrency_key="repo")
    first = take(conn)
    assert taken(conn) == []
    assert claims.claim_next(conn, agent="gone") is None
    done(conn, first)

    assert take(conn).key == "c"


@pytest.mark.parametrize("how", ["before", "after", "with them"])
def test_a_slot_passes_tasks_whose_files_are_locked(conn: Connection, how: str) -> None:
    spec = specs.create(conn, title="S", content="text").key
    make_tasks(conn, "a", "b", "c", "d", concurrency_key="repo")
    work: dict[str, Any] = {"spec": spec, "scope": "all", "assigned_files": ["file"]}
    implementation_tasks.create(conn, key="other", priority=9, **work)
    first = take(conn)

    def assign() -> None:
        for key in "bc":
            implementation_tasks.adopt(conn, key=key, **work)

    if how == "before":
        assign()
        # They wait for the slot, and their file is locked meanwhile.
        assert taken(conn) == ["other"]
    elif how == "with them":
        assert taken(conn) == ["other"]
        assign()
        assert taken(conn) == []
    else:
        claims.claim(conn, key="other", agent="ada")
        assert taken(conn) == []
    done(conn, first)
    if how == "after":
        # An agent of another type offers the slot to the first of them, which has no file yet.
        for key in "bcd":
            tasks.update(conn, key, agent_type="tester")
        assert taken(conn, agent_type="coder") == []
        assign()

    assert ready(conn) == ["d"]
    assert take(conn).key == "d"


def test_a_task_that_waits_for_a_slot_can_be_blocked_and_come_back(conn: Connection) -> None:
    make_tasks(conn, "a", "b", concurrency_key="repo")
    make_tasks(conn, "gate", assigned_agent="nobody")
    first = take(conn)
    assert taken(conn) == []

    dependencies.add_dependency(conn, task="b", depends_on="gate")
    assert doctor.run(conn) == []
    dependencies.remove_dependency(conn, task="b", depends_on="gate")
    assert taken(conn) == []
    done(conn, first)

    assert take(conn).key == "b"
    assert running(conn) == {"repo": (1, 1)}


@pytest.mark.slow
def test_a_crowd_that_waits_for_a_slot_is_read_once(database_url: str) -> None:
    with connect(database_url, autocommit=True) as conn:
        tasks.create_many(
            conn, [NewTask(title="t", concurrency_key="repo", priority=1) for _ in range(3000)]
        )
        make_tasks(conn, *(f"free{n}" for n in range(60)))
        first = take(conn)

        def claim_costs() -> tuple[int, int]:
            with conn.transaction():
                before = live_rows_read(conn)
                claim = take(conn)
                return claim.priority, live_rows_read(conn) - before

        # A snapshot anywhere on the server, such as another test's, keeps the dead index entries.
        costs = [claim_costs() for _ in range(40)]
        assert {priority for priority, _ in costs} == {5}
        assert max(rows for _, rows in costs[-5:]) < 100, costs
        done(conn, first)
        priority, rows = claim_costs()

    assert priority == 1
    assert rows < 100


def test_create_many_takes_keys(conn: Connection) -> None:
    new = [NewTask(title=key, key=key, concurrency_key="repo") for key in "ab"]
    tasks.create_many(conn, new, [NewDependency("b", "a")])

    assert taken(conn) == ["a"]
    assert tasks.get_by_key(conn, "b").concurrency_key == "repo"
