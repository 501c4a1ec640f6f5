"""The calls of claims beyond one task at a time: sets, chains, requests, pauses, lost answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import ClaimLostError, IntegrityError, NotFoundError, VersionConflictError
from taskdb.models import Claim, ClaimOutcome, NewTask, ReasonCode
from taskdb.models import TaskStatus as Status
from taskdb.queries import claims, dependencies, epics, features, history, pauses, tasks
from tests.plans import lapse_leases, make_tasks, take

Connection = psycopg.Connection[Any]
HOUR = timedelta(hours=1)
NOBODY = UUID(int=7)


def pairs(held: list[Claim]) -> dict[str, list[Any]]:
    return {
        "task_ids": [claim.task_id for claim in held],
        "tokens": [claim.token for claim in held],
    }


# Sets


SETS: dict[str, tuple[Callable[..., Any], Status]] = {
    "complete_many": (claims.complete_many, Status.COMPLETED),
    "fail_many": (lambda conn, **p: claims.fail_many(conn, error="no disk", **p), Status.FAILED),
    "release_many": (claims.release_many, Status.PENDING),
}


def looks_into_history(conn: Connection) -> int:
    """Count the searches of task_history in this transaction."""
    row = conn.execute(
        b"select pg_stat_get_xact_numscans('task_history'::regclass)"
        b" + pg_stat_get_xact_numscans('task_history_seq_once_per_task'::regclass)"
    ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("end", [end for end, _ in SETS.values()], ids=SETS.keys())
def test_only_what_a_set_did_not_end_is_asked_whether_it_has_ended_before(
    conn: Connection, end: Callable[..., Any]
) -> None:
    make_tasks(conn, "a", "b", "c")
    held = claims.claim_batch(conn, agent="ada", limit=3)
    before = looks_into_history(conn)

    end(conn, **pairs(held[:2]))
    assert looks_into_history(conn) == before

    end(conn, **pairs(held))
    assert looks_into_history(conn) == before + 2


@pytest.mark.parametrize(("end", "status"), SETS.values(), ids=SETS.keys())
def test_many_claims_end_in_the_order_given_and_tell_which_were_held(
    conn: Connection, end: Callable[..., Any], status: Status
) -> None:
    make_tasks(conn, "a", "b", "c")
    held = claims.claim_batch(conn, agent="ada", limit=3)
    tasks.update_status(conn, key="b", status=Status.CANCELLED)
    asked = pairs(held[::-1])
    asked["task_ids"].append(NOBODY)
    asked["tokens"].append(1)

    ended = end(conn, **asked)

    assert [row.task_id for row in ended] == asked["task_ids"]
    assert [(row.was_held, row.status) for row in ended] == [
        (True, status),
        (False, None),
        (True, status),
        (False, None),
    ]
    assert end(conn, **asked) == ended
    assert doctor.run(conn) == []


def test_a_pair_that_is_named_twice_ends_once(conn: Connection) -> None:
    make_tasks(conn, "a")
    held = [take(conn)] * 2

    ended = claims.complete_many(conn, **pairs(held))

    assert [row.was_held for row in ended] == [True, True]
    assert len(history.list_for_task(conn, key="a")) == 3
    assert claims.complete_many(conn, task_ids=[], tokens=[]) == []


@pytest.mark.parametrize("call", [*SETS, "heartbeat_many"])
def test_stale_token_beside_the_live_one_of_the_same_task_was_not_held(
    conn: Connection, call: str
) -> None:
    make_tasks(conn, "a")
    stale = take(conn)
    lapse_leases(conn)
    live = take(conn, agent="bob")
    act: Callable[..., Any] = claims.heartbeat_many if call == "heartbeat_many" else SETS[call][0]

    ended = act(conn, **pairs([stale, live, stale]))

    assert [row.was_held for row in ended] == [False, True, False]


def test_many_heartbeats_renew_what_is_held(conn: Connection) -> None:
    make_tasks(conn, "a", "b")
    held = claims.claim_batch(conn, agent="ada", limit=2)
    claims.release(conn, task_id=held[0].task_id, token=held[0].token)

    renewed = claims.heartbeat_many(conn, lease=2 * HOUR, **pairs(held))

    assert [row.was_held for row in renewed] == [False, True]
    assert renewed[1].lease_expires_at == held[1].claimed_at + 2 * HOUR


def test_many_failures_are_retried_each_by_its_own_attempts(conn: Connection) -> None:
    make_tasks(conn, "a", max_attempts=1)
    make_tasks(conn, "b", max_attempts=2)
    held = claims.claim_batch(conn, agent="ada", limit=2)

    ended = claims.fail_many(conn, error="no disk", retry_in=HOUR, **pairs(held))

    assert [row.status for row in ended] == [Status.FAILED, Status.PENDING]
    assert doctor.run(conn) == []


# Chains


def test_a_completion_claims_what_it_unblocks(conn: Connection) -> None:
    make_tasks(conn, "first", "second")
    dependencies.add_dependency(conn, task="second", depends_on="first")
    first = take(conn)

    done = claims.complete_and_claim_next(
        conn, task_id=first.task_id, token=first.token, agent="ada", note="easy"
    )

    assert (done.end.key, done.end.status) == ("first", Status.COMPLETED)
    assert done.claim
    assert (done.claim.key, done.claim.agent, done.claim.token) == ("second", "ada", 1)
    last = claims.complete_and_claim_next(
        conn, task_id=done.claim.task_id, token=done.claim.token, agent="ada"
    )
    assert last.claim is None
    assert doctor.run(conn) == []


def test_a_stale_token_claims_nothing(conn: Connection) -> None:
    make_tasks(conn, "a", "b")
    stale = take(conn)
    tasks.update_status(conn, key="a", status=Status.CANCELLED)

    with pytest.raises(ClaimLostError), conn.transaction():
        claims.complete_and_claim_next(conn, task_id=stale.task_id, token=stale.token, agent="ada")

    assert tasks.get_by_key(conn, key="b").status is Status.PENDING


# Lost answers


def test_a_request_gets_its_live_claim_again(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c")
    request = uuid4()

    first = take(conn, request_id=request)
    again = take(conn, request_id=request)

    assert (again.task_id, again.token) == (first.task_id, first.token)
    assert take(conn, request_id=uuid4()).key == "b"
    claims.complete(conn, task_id=first.task_id, token=first.token)
    assert take(conn, request_id=request).key == "c"
    assert doctor.run(conn) == []


def test_a_chain_that_is_repeated_answers_the_same(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c")
    first, request = take(conn), uuid4()

    one, two = (
        claims.complete_and_claim_next(
            conn, task_id=first.task_id, token=first.token, agent="ada", request_id=request
        )
        for _ in range(2)
    )

    assert one.end == two.end
    assert one.claim
    assert two.claim
    assert (one.claim.task_id, one.claim.token) == (two.claim.task_id, two.claim.token)
    assert tasks.get_by_key(conn, key="c").status is Status.PENDING


ENDS: dict[str, Callable[..., Any]] = {
    "complete": lambda conn, **claim: claims.complete(conn, note="done", **claim),
    "submit": claims.submit,
    "fail": lambda conn, **claim: claims.fail(conn, error="no disk", **claim),
    "release": claims.release,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_an_ending_that_is_repeated_answers_the_same_and_changes_nothing(
    conn: Connection, end: Callable[..., Any]
) -> None:
    make_tasks(conn, "a")
    claim = take(conn)
    first = end(conn, task_id=claim.task_id, token=claim.token)
    entries = history.list_for_task(conn, key="a")

    again = end(conn, task_id=claim.task_id, token=claim.token)

    assert again == first
    assert history.list_for_task(conn, key="a") == entries
    other = ENDS["fail"] if end is not ENDS["fail"] else ENDS["complete"]
    with pytest.raises(ClaimLostError):
        other(conn, task_id=claim.task_id, token=claim.token)


def test_a_creation_that_is_repeated_returns_the_task(conn: Connection) -> None:
    first = tasks.create(conn, key="a", title="first", labels=["x"], if_exists="return")

    again = tasks.create(conn, key="a", title="second", if_exists="return")

    assert again == first
    assert len(history.list_for_task(conn, key="a")) == 1
    with pytest.raises(IntegrityError):
        tasks.create(conn, key="a", title="third")


def test_an_edit_of_a_version_that_is_past_is_refused(conn: Connection) -> None:
    make_tasks(conn, "a")
    seen = tasks.get_by_key(conn, key="a")
    claim = take(conn)
    claims.complete(conn, task_id=claim.task_id, token=claim.token)
    mine = tasks.update(conn, key="a", description="mine", if_version=seen.version)
    assert mine.version > seen.version

    changes: list[dict[str, Any]] = [{"description": "other"}, {"title": "other"}]
    for change in changes:
        with pytest.raises(VersionConflictError), conn.transaction():
            tasks.update(conn, key="a", if_version=seen.version, **change)

    assert tasks.get_by_key(conn, key="a") == mine
    with pytest.raises(NotFoundError):
        tasks.update(conn, key="ghost", title="x", if_version=1)


# Attempts and progress


def test_lowering_max_attempts_below_the_failures_stops_the_task(conn: Connection) -> None:
    make_tasks(conn, "a")
    for _ in range(2):
        claim = take(conn)
        claims.fail(
            conn, task_id=claim.task_id, token=claim.token, error="no", retry_in=timedelta(0)
        )

    task = tasks.update(conn, key="a", max_attempts=2)

    assert task.status is Status.FAILED
    assert claims.claim_next(conn, agent="ada") is None
    assert doctor.run(conn) == []


def test_the_last_progress_is_kept_with_the_attempt(conn: Connection) -> None:
    make_tasks(conn, "a")
    claim = take(conn)
    pair: dict[str, Any] = {"task_id": claim.task_id, "token": claim.token}
    before = tasks.get_by_key(conn, key="a").updated_at

    claims.heartbeat(conn, progress=10, note="reading", **pair)
    claims.heartbeat(conn, progress=60, **pair)
    (live,) = claims.list_for_task(conn, key="a")
    claims.release(conn, **pair)

    assert (live.progress_pct, live.progress_note) == (60, "reading")
    (ended,) = claims.list_for_task(conn, key="a")
    assert (ended.progress_pct, ended.progress_note) == (60, "reading")
    again = take(conn)
    assert again.token == 2
    assert claims.list_for_task(conn, key="a")[1].progress_pct is None
    assert tasks.get_by_key(conn, key="a").updated_at > before


def test_a_release_for_later_costs_no_attempt(conn: Connection) -> None:
    make_tasks(conn, "a")
    claim = take(conn)

    claims.release(conn, task_id=claim.task_id, token=claim.token, retry_in=HOUR)

    task = tasks.get_by_key(conn, key="a")
    assert (task.status, task.failed_attempts) == (Status.PENDING, 0)
    assert task.scheduled_at == claim.claimed_at + HOUR
    assert claims.claim_next(conn, agent="ada") is None


def test_failed_work_is_listed_and_requeued(conn: Connection) -> None:
    make_tasks(conn, "a", "b")
    claim = take(conn)
    claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no disk")

    (failed,) = tasks.list_failed(conn)
    requeued = tasks.requeue(conn, keys=["a", "b", "ghost"], agent="boss", note="disk is back")

    assert (failed.key, failed.error_message, failed.failed_attempts) == ("a", "no disk", 1)
    assert requeued == ["a"]
    assert tasks.get_by_key(conn, key="a").failed_attempts == 0
    last = history.list_for_task(conn, key="a")[-1]
    assert (last.agent, last.note, last.forced) == ("boss", "disk is back", True)
    assert doctor.run(conn) == []


# Time


def test_a_crowd_of_overdue_tasks_is_worked_off_a_few_a_claim(conn: Connection) -> None:
    now = datetime.now(UTC)
    due = [NewTask(key=f"d{n}", title="due", scheduled_at=now - HOUR) for n in range(20)]
    later = [NewTask(key=f"x{n}", title="lapsed") for n in range(20)]
    tasks.create_many(conn, [*later, *due])
    conn.execute(b"update tasks set is_due = false where scheduled_at is not null")
    claims.claim_batch(conn, agent="gone", limit=20)
    lapse_leases(conn)

    seen = [take(conn, lease=HOUR).key for _ in range(40)]

    assert sorted(seen) == sorted([task.key or "" for task in [*later, *due]])
    assert claims.claim_next(conn, agent="ada") is None
    assert doctor.run(conn) == []


def test_a_lane_finds_its_overdue_task_behind_a_crowd_of_others(conn: Connection) -> None:
    crowd = [NewTask(key=f"x{n}", title="x", agent_type="writer") for n in range(50)]
    tasks.create_many(conn, [*crowd, NewTask(key="mine", title="mine", agent_type="coder")])
    claims.claim_batch(conn, agent="gone", limit=60)
    lapse_leases(conn)

    claim = claims.claim_next(conn, agent="ada", agent_type="coder")

    assert claim
    assert claim.key == "mine"


def test_what_is_overdue_and_cannot_be_claimed_says_so(conn: Connection) -> None:
    make_tasks(conn, "a", max_attempts=1)
    take(conn)
    lapse_leases(conn)

    (reason,) = dependencies.why_not_ready(conn, key="a")
    assert reason.reason is ReasonCode.OVERDUE
    assert claims.claim_next(conn, agent="ada") is None

    task = tasks.get_by_key(conn, key="a")
    assert (task.status, task.error_message) == (Status.FAILED, "the lease of ada lapsed")
    assert [attempt.outcome for attempt in claims.list_for_task(conn, key="a")] == [
        ClaimOutcome.LAPSED
    ]


def test_a_search_behind_a_claim_comes_back_to_the_head(conn: Connection) -> None:
    make_tasks(conn, "a", "b", "c")
    second = claims.claim(conn, key="b", agent="ada")
    assert second

    third = take(conn, after=second.task_id)
    first = take(conn, after=second.task_id)

    assert (third.key, first.key) == ("c", "a")
    assert claims.claim_next(conn, agent="ada", after=second.task_id) is None
    assert take_none(conn, after=NOBODY)


def take_none(conn: Connection, **values: Any) -> bool:
    return claims.claim_next(conn, agent="ada", **values) is None


# Pauses


def test_a_pause_of_the_workspace_stops_claims_until_it_ends(conn: Connection) -> None:
    make_tasks(conn, "a", "b")
    under_way = take(conn)

    pauses.pause(conn, reason="freeze")
    make_tasks(conn, "new")

    assert claims.claim_next(conn, agent="ada") is None
    assert [row.reason for row in dependencies.why_not_ready(conn, key="b")] == [ReasonCode.PAUSED]
    claims.release(conn, task_id=under_way.task_id, token=under_way.token)
    assert claims.claim_next(conn, agent="ada") is None
    assert doctor.run(conn) == []
    assert pauses.resume(conn)
    assert pauses.resume(conn) == 0
    assert [take(conn).key for _ in range(3)] == ["a", "b", "new"]


def test_a_pause_covers_an_epic_a_feature_or_a_type(conn: Connection) -> None:
    epic = epics.create(conn, key="E01", title="E")
    one = features.create(conn, epic_id=epic.id, key="E01-F01", title="F")
    two = features.create(conn, epic_id=epic.id, key="E01-F02", title="F")
    make_tasks(conn, "in one", feature_id=one.id)
    make_tasks(conn, "in two", feature_id=two.id, agent_type="coder")
    make_tasks(conn, "free", agent_type="coder")

    def open_to_claims() -> set[str]:
        return {task.key for task in tasks.list_ready(conn)}

    pauses.pause(conn, feature="E01-F01")
    assert open_to_claims() == {"in two", "free"}
    pauses.pause(conn, agent_type="coder")
    assert open_to_claims() == set()
    pauses.pause(conn, epic="E01", reason="wait")
    assert pauses.resume(conn, agent_type="coder")
    assert open_to_claims() == {"free"}
    assert [pause.reason for pause in pauses.list_pauses(conn)] == [None, "wait"]
    tasks.update(conn, key="in two", feature_id=None)
    assert open_to_claims() == {"free", "in two"}
    tasks.update(conn, key="free", feature_id=one.id)
    assert open_to_claims() == {"in two"}
    with pytest.raises(NotFoundError):
        pauses.pause(conn, epic="E99")
    assert pauses.resume(conn, epic="E99") == 0
    assert doctor.run(conn) == []


def test_a_task_whose_type_is_no_longer_a_paused_one_can_be_claimed(conn: Connection) -> None:
    tasks.create(conn, key="A", title="A", agent_type="coder")
    pauses.pause(conn, agent_type="coder")
    assert claims.claim_next(conn, agent="ann") is None

    tasks.update(conn, key="A", agent_type="writer")

    assert doctor.run(conn) == []
    assert claims.claim(conn, key="A", agent="ann")


def test_a_feature_that_moves_to_another_epic_is_paused_as_that_is(conn: Connection) -> None:
    ids = [epics.create(conn, key=key, title="E").id for key in ("E01", "E02")]
    one = features.create(conn, epic_id=ids[0], key="E01-F01", title="F")
    make_tasks(conn, "a", feature_id=one.id)
    pauses.pause(conn, epic="E02")

    def move(epic_id: UUID, key: str) -> None:
        text = f"update features set key = '{key}', epic_id = '{epic_id}'"
        conn.execute(text.encode())

    move(ids[1], "E02-F01")
    assert doctor.run(conn) == []
    assert claims.claim_next(conn, agent="ada") is None

    move(ids[0], "E01-F01")
    assert doctor.run(conn) == []
    assert take(conn).key == "a"


@pytest.mark.parametrize("scope", ["epic", "feature"])
def test_a_pause_ends_with_what_it_pauses(conn: Connection, scope: str) -> None:
    epic = epics.create(conn, key="E01", title="E")
    one = features.create(conn, epic_id=epic.id, key="E01-F01", title="F")
    make_tasks(conn, "a", feature_id=one.id)
    pauses.pause(conn, **{scope: {"epic": "E01", "feature": "E01-F01"}[scope]})

    epics.delete(conn, key="E01")

    assert doctor.run(conn) == []
    assert pauses.list_pauses(conn) == []
    make_tasks(conn, "free")
    assert take(conn).key == "free"


def test_a_task_that_moves_or_reopens_is_paused_as_it_then_is(conn: Connection) -> None:
    epic = epics.create(conn, key="E01", title="E")
    one = features.create(conn, epic_id=epic.id, key="E01-F01", title="F")
    tasks.create(conn, key="A", title="A")
    tasks.create(conn, key="B", title="B", feature_id=one.id)
    tasks.update_status(conn, key="B", status=Status.CANCELLED)
    pauses.pause(conn, feature="E01-F01")

    tasks.update(conn, key="A", feature_id=one.id)
    tasks.update_status(conn, key="B", status=Status.PENDING, force=True)

    assert doctor.run(conn) == []
    assert claims.claim_next(conn, agent="ann") is None
