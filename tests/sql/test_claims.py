"""Claims: who gets which task, how a claim ends, and that a stale token changes nothing.

No test waits for a lease to lapse: it is back-dated.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskdb.admin import doctor
from taskdb.errors import ClaimLostError
from taskdb.models import ClaimOutcome, DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, dependencies, history, tasks
from tests.plans import Plan, lapse_leases, make_tasks, take
from tests.tiers import first_of

Connection = psycopg.Connection[Any]
Status = TaskStatus
HOUR = timedelta(hours=1)


def taken(conn: Connection, agent: str = "ada", **wishes: Any) -> list[str]:
    """The keys that an agent gets, one after another, until there is nothing left."""
    keys = []
    while claim := claims.claim_next(conn, agent=agent, **wishes):
        keys.append(claim.key)
    return keys


def outcomes(conn: Connection, key: str) -> list[tuple[str, ClaimOutcome | None]]:
    return [(attempt.agent, attempt.outcome) for attempt in claims.list_for_task(conn, key=key)]


# The choice of a task


def test_the_most_urgent_task_comes_first_then_the_planners_order_then_the_oldest(
    conn: Connection,
) -> None:
    make_tasks(conn, "old", "older than new")
    make_tasks(conn, "second", execution_order=2)
    make_tasks(conn, "first", execution_order=1)
    make_tasks(conn, "urgent", priority=1)
    make_tasks(conn, "patient", priority=10, execution_order=1)

    assert taken(conn) == ["urgent", "first", "second", "old", "older than new", "patient"]
    assert doctor.run(conn) == []


def test_tasks_of_one_transaction_come_in_the_order_they_were_made(conn: Connection) -> None:
    keys = [f"k{number}" for number in (3, 1, 2)]
    tasks.create_many(conn, [NewTask(key=key, title=key) for key in keys])

    assert taken(conn) == keys


def test_an_agent_gets_tasks_of_its_type_or_of_none(conn: Connection) -> None:
    make_tasks(conn, "any")
    make_tasks(conn, "code", agent_type="coder")
    make_tasks(conn, "text", agent_type="writer", priority=1)

    assert taken(conn, agent_type="coder") == ["any", "code"]
    assert taken(conn) == ["text"]


def test_a_reservation_is_for_one_agent(conn: Connection) -> None:
    make_tasks(conn, "free")
    make_tasks(conn, "for bob", assigned_agent="bob", priority=1)
    make_tasks(conn, "for bob the coder", assigned_agent="bob", agent_type="coder", priority=1)

    assert taken(conn, "ada") == ["free"]
    assert claims.claim(conn, key="for bob", agent="ada") is None
    assert taken(conn, "bob", agent_type="writer") == ["for bob"]
    assert taken(conn, "bob", agent_type="coder") == ["for bob the coder"]


def test_an_agent_takes_tasks_of_all_ways_to_match_in_one_order(conn: Connection) -> None:
    now = datetime.now(UTC)
    make_tasks(conn, "p5", priority=5)
    make_tasks(conn, "p4 mine", priority=4, assigned_agent="ada")
    make_tasks(conn, "p3 typed", priority=3, agent_type="coder")
    make_tasks(conn, "p2 both", priority=2, agent_type="coder", assigned_agent="ada")
    make_tasks(conn, "p1 due", priority=1, scheduled_at=now - HOUR)
    make_tasks(conn, "lapsed", priority=3, execution_order=1)
    assert claims.claim(conn, key="lapsed", agent="gone")
    lapse_leases(conn)

    assert taken(conn, agent_type="coder") == [
        "p1 due",
        "p2 both",
        "lapsed",
        "p3 typed",
        "p4 mine",
        "p5",
    ]


def test_what_is_not_due_is_not_handed_out(conn: Connection) -> None:
    now = datetime.now(UTC)
    make_tasks(conn, "due", scheduled_at=now - HOUR)
    make_tasks(conn, "later", scheduled_at=now + HOUR, priority=1)

    assert taken(conn) == ["due"]
    assert claims.claim(conn, key="later", agent="ada") is None
    assert [row.reason for row in dependencies.why_not_ready(conn, key="later")] == ["scheduled"]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING])
def test_only_pending_tasks_are_handed_out(conn: Connection, status: Status) -> None:
    reason = "it rains" if status is Status.BLOCKED else None
    make_tasks(conn, "A", status=status, blocked_reason=reason)

    assert taken(conn) == []
    assert claims.claim(conn, key="A", agent="ada") is None
    assert dependencies.why_not_ready(conn, key="A")


def test_work_comes_in_the_order_of_its_dependencies(conn: Connection, plan: Plan) -> None:
    done = []
    while claim := claims.claim_next(conn, agent="ada"):
        claims.complete(conn, task_id=claim.task_id, token=claim.token)
        done.append(claim.key)

    assert sorted(done) == sorted(plan.tasks)
    assert all(done.index(blocker) < done.index(task) for task, blocker in plan.edges)
    assert doctor.run(conn) == []


def test_the_claim_brings_what_its_holder_needs(conn: Connection) -> None:
    make_tasks(conn, "A", description="how", requirements={"x": 1}, context={"y": 2}, priority=3)

    claim = take(conn, lease=HOUR)

    assert (claim.key, claim.token, claim.agent, claim.description) == ("A", 1, "ada", "how")
    assert (claim.requirements, claim.context, claim.priority) == ({"x": 1}, {"y": 2}, 3)
    assert claim.lease_expires_at - claim.claimed_at == HOUR
    task = tasks.get_by_key(conn, key="A")
    assert task.status is Status.IN_PROGRESS
    assert task.started_at
    last = history.list_for_task(conn, key="A")[-1]
    assert (last.new_status, last.agent) == (Status.IN_PROGRESS, "ada")


# Many, and one by its key


def test_a_batch_is_what_claim_next_would_have_handed_out(conn: Connection) -> None:
    for number in range(6):
        make_tasks(conn, f"k{number}", priority=6 - number)
    make_tasks(conn, "for bob", assigned_agent="bob", priority=1)

    batch = claims.claim_batch(conn, agent="ada", limit=4)

    assert [claim.key for claim in batch] == ["k5", "k4", "k3", "k2"]
    assert len(claims.claim_batch(conn, agent="ada", limit=100)) == 2
    assert claims.claim_batch(conn, agent="ada", limit=1) == []
    assert doctor.run(conn) == []


def test_a_batch_takes_over_what_has_lapsed(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c")
    claims.claim_batch(conn, agent="gone", limit=2)
    lapse_leases(conn)

    batch = claims.claim_batch(conn, agent="ada", limit=9)

    assert [(claim.key, claim.token, claim.failed_attempts) for claim in batch] == [
        ("a", 2, 1),
        ("b", 2, 1),
        ("c", 1, 0),
    ]
    assert doctor.run(conn) == []


def test_a_task_is_claimed_by_its_key_once(conn: Connection) -> None:
    make_tasks(conn, "a", "b")

    claim = claims.claim(conn, key="b", agent="ada")

    assert claim
    assert claim.key == "b"
    assert claims.claim(conn, key="b", agent="bob") is None
    assert claims.claim(conn, key="ghost", agent="bob") is None


def test_a_claim_by_key_takes_over_what_has_lapsed_and_looks_at_no_type(conn: Connection) -> None:
    make_tasks(conn, "a", agent_type="coder")
    assert claims.claim(conn, key="a", agent="gone")
    lapse_leases(conn)

    claim = claims.claim(conn, key="a", agent="ada")

    assert claim
    assert (claim.token, claim.failed_attempts) == (2, 1)
    assert outcomes(conn, "a") == [("gone", ClaimOutcome.LAPSED), ("ada", None)]


# Leases


def test_a_lapsed_claim_is_taken_over_and_its_holder_refused(conn: Connection) -> None:
    make_tasks(conn, "a")
    zombie = take(conn, "zombie")
    lapse_leases(conn)

    heir = take(conn, "heir")

    assert (heir.key, heir.token, heir.failed_attempts) == ("a", 2, 1)
    assert outcomes(conn, "a") == [("zombie", ClaimOutcome.LAPSED), ("heir", None)]
    assert [entry.new_status for entry in history.list_for_task(conn, key="a")] == [
        Status.PENDING,
        Status.IN_PROGRESS,
        Status.PENDING,
        Status.IN_PROGRESS,
    ]
    with pytest.raises(ClaimLostError), conn.transaction():
        claims.complete(conn, task_id=zombie.task_id, token=zombie.token)
    claims.complete(conn, task_id=heir.task_id, token=heir.token)
    assert doctor.run(conn) == []


def test_a_heartbeat_begins_the_lease_anew(conn: Connection) -> None:
    make_tasks(conn, "a")
    claim = take(conn)
    lapse_leases(conn)
    before = tasks.get_by_key(conn, key="a").updated_at

    until = claims.heartbeat(conn, task_id=claim.task_id, token=claim.token, lease=HOUR)

    assert until - claim.claimed_at == HOUR
    assert taken(conn, "bob") == []
    assert tasks.get_by_key(conn, key="a").updated_at == before


def test_a_claim_that_lapsed_unnoticed_may_still_be_completed(conn: Connection) -> None:
    make_tasks(conn, "a")
    claim = take(conn)
    lapse_leases(conn)

    end = claims.complete(conn, task_id=claim.task_id, token=claim.token)

    assert end.status is Status.COMPLETED
    assert doctor.run(conn) == []


def test_a_task_that_keeps_killing_its_workers_is_no_longer_handed_out(conn: Connection) -> None:
    make_tasks(conn, "a", max_attempts=3)
    for number in range(3):
        assert take(conn, f"victim-{number}").failed_attempts == number
        lapse_leases(conn)

    assert taken(conn) == []
    assert claims.claim(conn, key="a", agent="ada") is None
    task = tasks.get_by_key(conn, key="a")
    assert (task.status, task.failed_attempts) == (Status.FAILED, 3)
    assert task.error_message == "the lease of victim-2 lapsed"
    assert outcomes(conn, "a") == [(f"victim-{n}", ClaimOutcome.LAPSED) for n in range(3)]
    assert doctor.run(conn) == []


def test_what_was_started_by_hand_is_not_handed_out(conn: Connection) -> None:
    make_tasks(conn, "a")
    conn.execute(b"update tasks set status = 'in_progress'")

    assert taken(conn) == []
    (reason,) = dependencies.why_not_ready(conn, key="a")
    assert reason.reason == "started_by_hand"


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_schedule_that_comes_due_ends_no_work(conn: Connection, by_hand: bool) -> None:
    make_tasks(conn, "a")
    if by_hand:
        tasks.update_status(conn, key="a", status=Status.IN_PROGRESS)
    else:
        assert claims.claim(conn, key="a", agent="ada")
    tasks.update(conn, key="a", scheduled_at=datetime.now(UTC) + HOUR)
    conn.execute(b"alter table tasks disable trigger user")
    conn.execute(b"update tasks set scheduled_at = now()")
    conn.execute(b"alter table tasks enable trigger user")

    assert claims.claim_next(conn, agent="bob") is None

    assert tasks.get_by_key(conn, key="a").status is Status.IN_PROGRESS
    assert outcomes(conn, "a") == ([] if by_hand else [("ada", None)])
    assert doctor.run(conn) == []


# Ready, and why not

states = st.fixed_dictionaries(
    {
        "status": st.sampled_from(list(Status)),
        "agent": st.sampled_from([None, "ada", "bob"]),
        "kind": st.sampled_from([None, "coder", "writer"]),
        "due": st.sampled_from([None, -1, 1]),
        "attempts": st.integers(1, 2),
        "claim": st.sampled_from([None, "live", "lapsed", "lapsed twice"]),
    }
)


@pytest.mark.parametrize("half", first_of([1, 2]))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    drawn=st.lists(states, min_size=1, max_size=5),
    edges=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(DependencyType))),
)
def test_claim_next_takes_a_task_if_and_only_if_there_is_no_reason_why_not(
    conn: Connection,
    half: int,
    drawn: list[dict[str, Any]],
    edges: set[tuple[int, int, DependencyType]],
) -> None:
    conn.execute(b"delete from tasks")
    scatter(conn, drawn, edges)
    assert doctor.run(conn) == []

    for agent in ("ada", "cy"):
        for kind in (None, "coder"):
            free = {
                task.key
                for task in tasks.list_tasks(conn)
                if not dependencies.why_not_ready(conn, key=task.key, agent=agent, agent_type=kind)
            }
            listed = tasks.list_ready(conn, agent=agent, agent_type=kind)
            with conn.transaction() as trial:
                batch = claims.claim_batch(conn, agent=agent, agent_type=kind, limit=9)
                raise psycopg.Rollback(trial)
            with conn.transaction() as trial:
                # A claim makes time pass for two overdue tasks at most, so in a crowd of them
                # order comes late.
                conn.execute(b"select pass_time(1000)")
                one_by_one = taken(conn, agent, agent_type=kind)
                raise psycopg.Rollback(trial)
            with conn.transaction() as trial:
                assert set(taken(conn, agent, agent_type=kind)) == free
                raise psycopg.Rollback(trial)
            with conn.transaction() as trial:
                by_key = {
                    task.key
                    for task in tasks.list_tasks(conn)
                    if claims.claim(conn, key=task.key, agent=agent)
                }
                raise psycopg.Rollback(trial)

            assert set(one_by_one) == free
            assert one_by_one == [task.key for task in listed] == [claim.key for claim in batch]
            if kind is None:
                assert by_key == free


def scatter(
    conn: Connection,
    drawn: list[dict[str, Any]],
    edges: set[tuple[int, int, DependencyType]],
) -> None:
    """Make the tasks that hypothesis drew, with the edges that go from later to earlier ones."""
    now = datetime.now(UTC)
    size = len(drawn)
    kinds = {
        (str(max(pair)), str(min(pair))): kind
        for *pair, kind in sorted(edges)
        if pair[0] != pair[1] and max(pair) < size
    }
    for number, state in enumerate(drawn):
        tasks.create(
            conn,
            key=str(number),
            title="drawn",
            assigned_agent=state["agent"],
            agent_type=state["kind"],
            scheduled_at=None if state["due"] is None else now + state["due"] * HOUR,
            max_attempts=state["attempts"],
            priority=1 + number % 3,
        )
    for number, state in enumerate(drawn):
        key = str(number)
        if state["claim"]:
            conn.execute(b"update tasks set scheduled_at = null where key = $1", (key,))
            for _ in range(2 if state["claim"] == "lapsed twice" else 1):
                claims.claim(conn, key=key, agent=state["agent"] or "dora")
                if state["claim"] != "live":
                    conn.execute(
                        b"update tasks set lease_expires_at = now() - interval '1 second'"
                        b" where key = $1 and claim_agent is not null",
                        (key,),
                    )
        else:
            tasks.update_status(
                conn,
                key=key,
                status=state["status"],
                force=True,
                blocked_reason="it rains" if state["status"] is Status.BLOCKED else None,
            )
    dependencies.add_dependencies(
        conn, [NewDependency(task, blocker, kind) for (task, blocker), kind in kinds.items()]
    )


async def test_an_agent_works_on_an_asynchronous_connection(
    aconn: psycopg.AsyncConnection[Any],
) -> None:
    await tasks.create(aconn, key="a", title="a")

    claim = await claims.claim_next(aconn, agent="ada")

    assert claim
    await claims.heartbeat(aconn, task_id=claim.task_id, token=claim.token)
    end = await claims.complete(aconn, task_id=claim.task_id, token=claim.token)
    assert end.status is Status.COMPLETED
    with pytest.raises(ClaimLostError):
        await claims.release(aconn, task_id=claim.task_id, token=claim.token)
