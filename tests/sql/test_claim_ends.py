"""The ends of a claim: who holds it may end it once, and a stale token changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import ClaimLostError, InvalidTransitionError, ValidationError
from taskdb.models import Claim, ClaimOutcome, DependencyType, NewTask
from taskdb.queries import claims, dependencies, history, tasks
from tests.plans import Plan, lapse_leases, make_tasks, take
from tests.sql.test_claims import HOUR, Connection, Status, outcomes, taken

# Ends of a claim


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


def back_date_schedule(conn: Connection) -> None:
    conn.execute(b"update tasks set scheduled_at = now()")


def test_fail_follows_the_back_off_of_the_task(conn: Connection) -> None:
    delay, most = timedelta(seconds=8), timedelta(seconds=50)
    make_tasks(conn, "a", retry_delay=delay, retry_factor=Decimal(3), max_retry_delay=most)
    for whole in (8, 24, 50, 50):
        claim = take(conn)

        end = claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no disk")

        assert end.status is Status.PENDING
        due = tasks.get_by_key(conn, key="a").scheduled_at
        assert due
        waits = (due - claim.claimed_at).total_seconds()
        assert whole / 2 <= waits <= whole
        back_date_schedule(conn)
    assert doctor.run(conn) == []


def test_what_failed_together_does_not_come_back_together(conn: Connection) -> None:
    tasks.create_many(conn, [NewTask(title=str(n), retry_delay=HOUR) for n in range(50)])
    held = claims.claim_batch(conn, agent="ada", limit=50)

    ended = claims.fail_many(
        conn,
        task_ids=[claim.task_id for claim in held],
        tokens=[claim.token for claim in held],
        error="the service is away",
    )

    assert {end.status for end in ended} == {Status.PENDING}
    moments = [tasks.get(conn, claim.task_id).scheduled_at for claim in held]
    minutes = {int((due - held[0].claimed_at).total_seconds() // 60) for due in moments if due}
    assert len(minutes) > 15
    assert min(minutes) >= 30
    assert max(minutes) <= 60


def test_what_the_caller_says_overrides_the_back_off(conn: Connection) -> None:
    tasks.create(conn, title="a", key="a", retry_delay=timedelta(seconds=8))
    claim = take(conn)
    claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no", retry_in=HOUR)
    assert tasks.get_by_key(conn, key="a").scheduled_at == claim.claimed_at + HOUR

    back_date_schedule(conn)
    claim = take(conn)
    end = claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no", retry_in=None)

    assert end.status is Status.FAILED


def test_a_task_without_back_off_waits_as_the_caller_would_have_it(conn: Connection) -> None:
    make_tasks(conn, "a")
    tasks.create(conn, title="b", key="b", retry_delay=timedelta(0))
    for key, waits in (("a", HOUR), ("b", timedelta(0))):
        claim = claims.claim(conn, key=key, agent="ada")
        assert claim

        claims.fail(
            conn, task_id=claim.task_id, token=claim.token, error="no", default_retry_in=HOUR
        )

        assert tasks.get_by_key(conn, key=key).scheduled_at == claim.claimed_at + waits


def test_the_back_off_does_not_outlast_the_last_attempt(conn: Connection) -> None:
    tasks.create(conn, title="a", key="a", retry_delay=HOUR, max_attempts=1)
    claim = take(conn)

    end = claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no disk")

    assert end.status is Status.FAILED
    tasks.requeue(conn, keys=["a"])
    assert tasks.get_by_key(conn, key="a").scheduled_at is None
    assert take(conn).failed_attempts == 0


def test_requeue_answers_with_keys_for_one_task_may_block_another_at_its_end(
    conn: Connection,
) -> None:
    make_tasks(conn, "a", "undo")
    dependencies.add_dependency(
        conn, task="undo", depends_on="a", dependency_type=DependencyType.COMPENSATES
    )
    for key in ("a", "undo"):
        tasks.update_status(conn, key=key, status=Status.FAILED, force=True)

    assert sorted(tasks.requeue(conn, keys=["undo", "a", "undo"])) == ["a", "undo"]

    assert tasks.get_by_key(conn, key="a").status is Status.PENDING
    assert tasks.get_by_key(conn, key="undo").status is Status.BLOCKED
    assert doctor.run(conn) == []


def test_a_huge_back_off_ends_somewhere(conn: Connection) -> None:
    longest = timedelta(days=3650)
    tasks.create(
        conn,
        title="a",
        key="a",
        retry_delay=longest,
        retry_factor=Decimal(100),
        max_retry_delay=longest,
        max_attempts=32767,
    )
    conn.execute(b"update tasks set failed_attempts = 32000")
    claim = take(conn)

    claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no disk")

    due = tasks.get_by_key(conn, key="a").scheduled_at
    assert due
    assert longest / 2 <= due - claim.claimed_at <= longest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retry_delay", timedelta(seconds=-1)),
        ("retry_delay", timedelta(days=3651)),
        ("retry_factor", Decimal("0.99")),
        ("retry_factor", Decimal(101)),
        ("max_retry_delay", timedelta(seconds=-1)),
    ],
)
def test_a_back_off_has_bounds(conn: Connection, field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        tasks.create(conn, title="a", **{field: value})


def test_the_back_off_is_edited(conn: Connection) -> None:
    made = tasks.create(conn, title="a", key="a")
    changed = tasks.update(conn, "a", retry_delay=HOUR, retry_factor=Decimal("1.5"))

    assert (made.retry_delay, made.retry_factor) == (None, None)
    assert (changed.retry_delay, changed.retry_factor) == (HOUR, Decimal("1.50"))
    assert changed.version > made.version
    assert tasks.update(conn, "a", retry_delay=None).retry_delay is None


def test_a_failed_attempt_is_no_edit(conn: Connection) -> None:
    before = tasks.create(conn, title="a", key="a", retry_delay=HOUR)
    claim = take(conn)

    claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no disk")

    assert tasks.get_by_key(conn, key="a").version == before.version


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


FORBIDDEN = {
    "delete": "delete from task_status_transitions where (old_status, new_status) = ({pair})",
    "update": "update task_status_transitions set old_status = 'archived'"
    " where (old_status, new_status) = ({pair})",
    "truncate": "truncate task_status_transitions",
}


@pytest.mark.parametrize("way", FORBIDDEN)
def test_a_move_that_the_team_does_not_allow_is_refused_to_agents_too(
    conn: Connection, way: str
) -> None:
    conn.execute(b"select setval('task_status_transition_removals', 1, false)")
    make_tasks(conn, "a", "b")
    first = take(conn)
    claims.release(conn, task_id=first.task_id, token=first.token)
    claim = take(conn)
    conn.execute(FORBIDDEN[way].format(pair="'in_progress', 'completed'").encode())

    with pytest.raises(InvalidTransitionError), conn.transaction():
        claims.complete(conn, task_id=claim.task_id, token=claim.token)
    with pytest.raises(InvalidTransitionError), conn.transaction():
        claims.complete_and_claim_next(conn, task_id=claim.task_id, token=claim.token, agent="ada")
    (refused,) = outcomes(conn, "a")[1:]
    assert refused == ("ada", None)

    conn.execute(FORBIDDEN[way].format(pair="'pending', 'in_progress'").encode())
    with pytest.raises(InvalidTransitionError), conn.transaction():
        take(conn)


def test_a_move_that_is_allowed_again_is_made_again(conn: Connection) -> None:
    make_tasks(conn, "a")
    pair = "'pending', 'in_progress'"
    conn.execute(FORBIDDEN["delete"].format(pair=pair).encode())
    conn.execute(
        f"insert into task_status_transitions (old_status, new_status, meaning)"
        f" values ({pair}, 'work begins')".encode()
    )

    claim = take(conn)
    claims.complete(conn, task_id=claim.task_id, token=claim.token)

    assert doctor.run(conn) == []


@pytest.mark.parametrize(("old", "new"), [("pending", "completed"), ("in_progress", "archived")])
def test_a_move_that_was_never_allowed_is_refused_although_none_was_taken_out(
    conn: Connection, old: str, new: str
) -> None:
    conn.execute(b"select setval('task_status_transition_removals', 1, false)")
    make_tasks(conn, "a")
    conn.execute(f"update tasks set status = '{old}', status_forced = true".encode())

    with pytest.raises(psycopg.DatabaseError) as refusal, conn.transaction():
        conn.execute(f"update tasks set status = '{new}'".encode())

    assert refusal.value.sqlstate == "TD001"
