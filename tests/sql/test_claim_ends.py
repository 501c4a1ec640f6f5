"""The ends of a claim: who holds it may end it once, and a stale token changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from taskdb.admin import doctor
from taskdb.errors import ClaimLostError, InvalidTransitionError
from taskdb.models import (
    Claim,
    ClaimOutcome,
)
from taskdb.queries import claims, dependencies, history, tasks
from tests.plans import Plan, lapse_leases, make_tasks, take
from tests.sql.test_claims import HOUR, Connection, Status, outcomes, taken

# How a claim ends


def test_complete_signs_and_opens_gates(conn: Connection, plan: Plan) -> None:
    claim = claims.claim(conn, key=plan.design, agent="ada")
    assert claim

    end = claims.complete(
        conn, task_id=claim.task_id, token=claim.token, note="done", actual_hours=Decimal("1.5")
    )

    assert (end.status, end.key) == (Status.COMPLETED, plan.design)
    assert end.completed_at
    assert tasks.get_by_key(conn, key=plan.design).actual_hours == Decimal("1.50")
    assert tasks.get_by_key(conn, key=plan.build).status is Status.PENDING
    last = history.list_for_task(conn, key=plan.design)[-1]
    assert (last.agent, last.note) == ("ada", "done")
    assert outcomes(conn, plan.design) == [("ada", ClaimOutcome.COMPLETED)]


def test_submit_ends_the_claim_and_waits_for_a_review(conn: Connection, plan: Plan) -> None:
    claim = claims.claim(conn, key=plan.design, agent="ada")
    assert claim

    end = claims.submit(conn, task_id=claim.task_id, token=claim.token, note="look")

    assert end.status is Status.IN_REVIEW
    assert tasks.get_by_key(conn, key=plan.build).status is Status.BLOCKED
    assert outcomes(conn, plan.design) == [("ada", ClaimOutcome.SUBMITTED)]
    tasks.update_status(conn, key=plan.design, status=Status.PENDING, note="once more")
    assert claims.claim(conn, key=plan.design, agent="bob")
    assert doctor.run(conn) == []


def test_fail_without_retry_is_for_good(conn: Connection) -> None:
    make_tasks(conn, "a")
    claim = take(conn)

    end = claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no disk")

    task = tasks.get_by_key(conn, key="a")
    assert end.status is Status.FAILED
    assert (task.error_message, task.failed_attempts) == ("no disk", 1)
    assert claims.list_for_task(conn, key="a")[0].note == "no disk"
    assert taken(conn) == []


def test_fail_with_retry_hands_the_task_out_again_in_time(conn: Connection) -> None:
    make_tasks(conn, "a")
    claim = take(conn)

    end = claims.fail(
        conn, task_id=claim.task_id, token=claim.token, error="no disk", retry_in=HOUR
    )

    task = tasks.get_by_key(conn, key="a")
    assert end.status is Status.PENDING
    assert task.scheduled_at
    assert task.scheduled_at - claim.claimed_at == HOUR
    assert taken(conn) == []
    conn.execute(b"update tasks set scheduled_at = now()")
    again = take(conn, "bob")
    assert (again.token, again.failed_attempts) == (2, 1)
    claims.complete(conn, task_id=again.task_id, token=again.token)
    assert tasks.get_by_key(conn, key="a").error_message is None


def test_the_last_attempt_is_not_retried(conn: Connection) -> None:
    make_tasks(conn, "a", max_attempts=2)
    for expected in (Status.PENDING, Status.FAILED):
        claim = take(conn)
        end = claims.fail(
            conn,
            task_id=claim.task_id,
            token=claim.token,
            error="again",
            retry_in=timedelta(0),
        )
        assert end.status is expected

    assert outcomes(conn, "a") == [("ada", ClaimOutcome.FAILED)] * 2
    assert doctor.run(conn) == []


def test_release_gives_the_task_back_undone(conn: Connection) -> None:
    make_tasks(conn, "a")
    claim = take(conn)

    end = claims.release(conn, task_id=claim.task_id, token=claim.token, note="lunch")

    assert end.status is Status.PENDING
    again = take(conn, "bob")
    assert (again.token, again.failed_attempts) == (2, 0)
    assert outcomes(conn, "a") == [("ada", ClaimOutcome.RELEASED), ("bob", None)]


def test_a_released_task_that_was_gated_meanwhile_is_blocked(conn: Connection) -> None:
    make_tasks(conn, "a", "b")
    claim = claims.claim(conn, key="a", agent="ada")
    assert claim
    dependencies.add_dependency(conn, task="a", depends_on="b")

    end = claims.release(conn, task_id=claim.task_id, token=claim.token)

    assert end.status is Status.BLOCKED
    assert doctor.run(conn) == []


ENDS: dict[str, Callable[..., Any]] = {
    "heartbeat": claims.heartbeat,
    "complete": claims.complete,
    "submit": claims.submit,
    "release": claims.release,
    "fail": lambda conn, **claim: claims.fail(conn, error="late", **claim),
    "fail with retry": lambda conn, **claim: claims.fail(
        conn, error="late", retry_in=HOUR, **claim
    ),
}


LOSSES: dict[str, Callable[[Connection, Claim], Any]] = {
    "was taken over": lambda conn, claim: take_over(conn),
    "was completed": lambda conn, claim: claims.complete(
        conn, task_id=claim.task_id, token=claim.token
    ),
    "was released": lambda conn, claim: claims.release(
        conn, task_id=claim.task_id, token=claim.token
    ),
    "was released and claimed again": lambda conn, claim: (
        claims.release(conn, task_id=claim.task_id, token=claim.token),
        take(conn, "heir"),
    ),
    "was cancelled": lambda conn, claim: tasks.update_status(
        conn, key="a", status=Status.CANCELLED
    ),
    "was given back and started by hand": lambda conn, claim: (
        tasks.update_status(conn, key="a", status=Status.PENDING),
        tasks.update_status(conn, key="a", status=Status.IN_PROGRESS),
    ),
    "was deleted": lambda conn, claim: tasks.delete(conn, key="a"),
}


def take_over(conn: Connection) -> None:
    lapse_leases(conn)
    take(conn, "heir")


def everything(conn: Connection) -> list[Any]:
    return [
        conn.execute(f"select * from {table} order by 1, 2".encode()).fetchall()
        for table in ("tasks", "task_details", "task_history", "task_dependencies")
    ]


# An ending that is repeated answers again: it is not a loss.
REPEATED = {
    ("was completed", "complete"),
    ("was released", "release"),
    ("was released and claimed again", "release"),
}


@pytest.mark.parametrize(
    ("loss", "end"), [pair for pair in itertools.product(LOSSES, ENDS) if pair not in REPEATED]
)
def test_a_stale_token_is_refused_and_changes_nothing(
    conn: Connection, loss: str, end: str
) -> None:
    make_tasks(conn, "a", "waits")
    dependencies.add_dependency(conn, task="waits", depends_on="a")
    claim = take(conn)
    LOSSES[loss](conn, claim)
    before = everything(conn)

    with pytest.raises(ClaimLostError):
        ENDS[end](conn, task_id=claim.task_id, token=claim.token)

    assert everything(conn) == before
    assert doctor.run(conn) == []


def test_a_token_that_was_never_given_out_is_refused(conn: Connection) -> None:
    make_tasks(conn, "a")
    claim = take(conn)

    for token in (claim.token + 1, 99):
        with pytest.raises(ClaimLostError):
            claims.complete(conn, task_id=claim.task_id, token=token)


@pytest.mark.parametrize(
    "status",
    [
        Status.PENDING,
        Status.BLOCKED,
        Status.IN_REVIEW,
        Status.COMPLETED,
        Status.FAILED,
        Status.CANCELLED,
        Status.ARCHIVED,
    ],
)
def test_any_other_way_out_of_progress_revokes_the_claim(conn: Connection, status: Status) -> None:
    make_tasks(conn, "a")
    take(conn)

    tasks.update_status(
        conn,
        key="a",
        status=status,
        force=True,
        blocked_reason="it rains" if status is Status.BLOCKED else None,
    )

    assert outcomes(conn, "a") == [("ada", ClaimOutcome.REVOKED)]
    assert doctor.run(conn) == []


def test_a_manual_update_in_psql_revokes_and_opens_as_any_other(
    conn: Connection, plan: Plan
) -> None:
    claim = claims.claim(conn, key=plan.design, agent="ada")
    assert claim

    conn.execute(b"update tasks set status = 'completed' where key = 'T-E01-F01-001'")

    assert outcomes(conn, plan.design) == [("ada", ClaimOutcome.REVOKED)]
    assert tasks.get_by_key(conn, key=plan.build).status is Status.PENDING
    assert doctor.run(conn) == []


def test_the_fence_grows_whatever_the_statement_says(conn: Connection) -> None:
    make_tasks(conn, "a")
    first = take(conn)
    claims.release(conn, task_id=first.task_id, token=first.token)
    conn.execute(b"update tasks set claim_token = 0, claim_agent = 'eve', status_seq = 1")

    assert take(conn).token == 2
    assert doctor.run(conn) == []


def test_an_agents_live_claims_are_listed_the_next_to_lapse_first(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c")
    take(conn, "ada", lease=2 * HOUR)
    take(conn, "ada", lease=HOUR)
    take(conn, "bob")

    assert [attempt.key for attempt in claims.list_live(conn, agent="ada")] == ["b", "a"]
    assert [attempt.key for attempt in claims.list_live(conn)] == ["c", "b", "a"]


def test_a_move_that_the_team_does_not_allow_is_refused_to_agents_too(conn: Connection) -> None:
    make_tasks(conn, "a")
    conn.execute(
        b"delete from task_status_transitions"
        b" where old_status = 'in_progress' and new_status = 'completed'"
    )
    claim = take(conn)

    with pytest.raises(InvalidTransitionError), conn.transaction():
        claims.complete(conn, task_id=claim.task_id, token=claim.token)

    assert outcomes(conn, "a") == [("ada", None)]
