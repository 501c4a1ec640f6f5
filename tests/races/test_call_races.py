"""Calls that can be repeated, and calls on many claims, in races with their like."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.errors import SerializationFailure

from taskdb.database import connect
from taskdb.errors import ClaimLostError, NotFoundError, VersionConflictError
from taskdb.queries import claims, tasks
from taskdb.testing.databases import Databases
from tests.arena import Arena, is_blocked
from tests.interleave import LEVELS, READ_COMMITTED, REPEATABLE_READ, Session
from tests.races.acts import (
    FREE,
    OPEN,
    REQUEST,
    adds,
    asks,
    deletes,
    held_by,
    holder,
    lapses,
    makes,
    pauses_all,
    plan,
    ready,
    requested,
    stands,
    takes_this,
)
from tests.races.mutant import Mutant
from tests.races.race import PAIRS, Act, Given, Race
from tests.tiers import only

Connection = psycopg.Connection[Any]


def holding(*keys: str, edges: str = "", free: str = "", lapsed: bool = False) -> Any:
    """Tasks that "zed" has claimed, and others."""

    def make(conn: Connection) -> Given:
        plan(*keys, *free.split(), edges=edges)(conn)
        given: Given = {}
        for key in keys:
            claim = claims.claim(conn, key=key, agent="zed")
            assert claim
            given[key] = claim
        if lapsed:
            ends_leases(conn)
        return given

    return make


def ends_leases(conn: Connection) -> None:
    conn.execute(
        b"update tasks set lease_expires_at = now() - interval '1 minute'"
        b" where claim_agent is not null"
    )


def many(function: Callable[..., Any], *keys: str, **arguments: Any) -> Act:
    """Act on many claims at once; that one was lost is told as `ClaimLostError`."""

    def act(conn: Connection, given: Given) -> None:
        rows = function(
            conn,
            task_ids=[given[key].task_id for key in keys],
            tokens=[given[key].token for key in keys],
            **arguments,
        )
        if not all(row.was_held for row in rows):
            raise ClaimLostError("one was lost")

    return act


def asks_for(key: str) -> Act:
    """Claim this task for the one request, or be told the claim that answers it."""

    def act(conn: Connection, given: Given) -> None:
        assert claims.claim(conn, key=key, agent="ann", request_id=REQUEST)

    return act


def goes_on(key: str = "t", request: UUID | None = None) -> Act:
    """Complete a task and claim the next one."""
    return holder(claims.complete_and_claim_next, key, agent="ann", request_id=request)


def makes_again(key: str) -> Act:
    return lambda conn, given: tasks.create(conn, key=key, title=key, if_exists="return")


def edits(key: str, title: str) -> Act:
    """Edit a task as it was in the beginning."""
    return lambda conn, given: tasks.update(conn, key=key, title=title, if_version=2)


def titled(**expected: str) -> Callable[[Connection], bool]:
    def look(conn: Connection) -> bool:
        rows = conn.execute(b"select key, title from tasks").fetchall()
        return expected.items() <= dict(rows).items()

    return look


def all_of(*looks: Callable[[Connection], bool]) -> Callable[[Connection], bool]:
    return lambda conn: all(look(conn) for look in looks)


DONE = "completed"

RACES = [
    # Requests
    Race("two claims of two tasks by one request", plan("t", "u"), asks_for("t"), asks_for("u"),
         all_of(held_by("ann"), stands(t=("in_progress", 0), u=FREE))),
    Race("a claim of this task and one of the next by one request", plan("t", "u"), asks_for("u"),
         asks("ann"), all_of(held_by("ann"), stands(t=FREE))),
    Race("a claim and a completion's next claim by one request", holding("t", free="u v"),
         asks("ann"), goes_on(request=REQUEST), stands(t=DONE, u=("in_progress", 0), v=FREE)),
    Race("a completion's next claim and a claim by one request", holding("t", free="u v"),
         goes_on(request=REQUEST), asks("ann"), stands(t=DONE, u=("in_progress", 0), v=FREE)),
    Race("one completion and next claim, sent twice", holding("t", free="u v"),
         goes_on(request=REQUEST), goes_on(request=REQUEST),
         stands(t=DONE, u=("in_progress", 0), v=FREE)),
    Race("a request's claim lapses, and the request again", requested("t"),
         lapses, asks("ann"), held_by("ann"), waits=False),
    # Creation and edits
    Race("two creations of one key that may exist", plan("t"), makes_again("new"),
         makes_again("new"), stands(new=FREE)),
    Race("a creation, and one that may exist", plan("t"), makes("new"), makes_again("new"),
         stands(new=FREE)),
    Race("a task deleted, and its creation that may exist", plan("t"), deletes("t"),
         makes_again("t"), stands(t=FREE)),
    Race("a creation that may exist, and the task deleted", plan("t"), makes_again("t"),
         deletes("t"), lambda conn: not conn.execute(b"select from tasks").fetchall()),
    Race("two edits of one version", plan("t"), edits("t", "one"), edits("t", "two"),
         titled(t="one"), VersionConflictError),
    Race("a claim, and an edit of the version before it", plan("t"), takes_this("t", "ann"),
         edits("t", "two"), all_of(titled(t="two"), held_by("ann"))),
    Race("a task deleted, and edited", plan("t"), deletes("t"), edits("t", "two"), stands(),
         NotFoundError),
    # Many claims at once
    Race("the same claims completed in two orders", holding("t", "u"),
         many(claims.complete_many, "t", "u"), many(claims.complete_many, "u", "t"),
         stands(t=DONE, u=DONE)),
    Race("many completed, and many of them failed", holding("t", "u", "v"),
         many(claims.complete_many, "t", "u"), many(claims.fail_many, "v", "u", error="no"),
         stands(t=DONE, u=DONE, v=("in_progress", 0)), ClaimLostError),
    Race("many renewed, and some of them released", holding("t", "u"),
         many(claims.heartbeat_many, "t", "u"), many(claims.release_many, "u", "t"),
         stands(t=FREE, u=FREE)),
    Race("many released, and renewed", holding("t", "u"), many(claims.release_many, "t", "u"),
         many(claims.heartbeat_many, "u", "t"), stands(t=FREE, u=FREE), ClaimLostError),
    Race("a lapse, and many heartbeats", holding("t", "u", lapsed=True), lapses,
         many(claims.heartbeat_many, "u", "t"), stands(t=FREE, u=FREE), ClaimLostError),
    Race("many heartbeats, and a lapse", holding("t", "u", lapsed=True),
         many(claims.heartbeat_many, "t", "u"), lapses,
         stands(t=("in_progress", 0), u=("in_progress", 0)), waits=False),
    Race("many completed, and an edge to one of them added", holding("a", "b", free="t"),
         many(claims.complete_many, "a", "b"), adds("t>a", "t>b"), stands(t=FREE)),
    Race("edges to many added, and those completed", holding("a", "b", free="t"),
         adds("t>a", "t>b"), many(claims.complete_many, "b", "a"), stands(t=FREE)),
    Race("many failed, and an edge to one of them added", holding("a", "b", free="t"),
         many(claims.fail_many, "a", "b", error="no"), adds("t>a", "t>b"),
         stands(t=("blocked", 2))),
    # A completion with the next claim
    Race("an edge to a task added, its completion claims the next", holding("a", free="t"),
         adds("t>a"), goes_on("a"), stands(a=DONE, t=("in_progress", 0))),
    Race("a completion claims the next, an edge to the completed one added",
         holding("a", free="t"), goes_on("a"), adds("t>a"),
         stands(a=DONE, t=("in_progress", 0))),
    Race("a pause, and a completion that claims the next", holding("t", free="u"), pauses_all,
         goes_on(), all_of(stands(t=DONE, u=FREE), ready()), pauser="first"),
    Race("an edge that gates the next, and a completion that claims it",
         holding("t", free="a u"), adds("u>a", "a>t"), goes_on(),
         stands(t=DONE, a=("in_progress", 0), u=OPEN)),
]  # fmt: skip


@pytest.mark.parametrize("level", only(LEVELS, READ_COMMITTED), ids=lambda level: level.name)
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_second_session_waits_for_the_first_and_is_told_the_truth(
    arena: Arena, race: Race, level: IsolationLevel
) -> None:
    if race.is_for(level, level):
        outcome = arena.run(race, level, level, waiting=True)

        assert not outcome.broke(race), outcome
        assert outcome.waited == race.waits


@pytest.mark.parametrize("level", only(LEVELS, REPEATABLE_READ), ids=lambda level: level.name)
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_session_with_an_older_snapshot_is_told_the_truth(
    arena: Arena, race: Race, level: IsolationLevel
) -> None:
    if race.is_for(level, level):
        outcome = arena.run(race, level, level, waiting=False)

        assert not outcome.broke(race), outcome


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_calls_hold_between_sessions_of_two_levels(
    arena: Arena, race: Race, pair: tuple[IsolationLevel, IsolationLevel]
) -> None:
    for waiting in (True, False):
        if race.is_for(*pair):
            outcome = arena.run(race, *pair, waiting=waiting)

            assert not outcome.broke(race), outcome


@pytest.mark.slow
def test_claim_of_a_task_waits_for_it_before_it_ends_overdue_claims_of_others(
    database_url: str,
) -> None:
    with connect(database_url, autocommit=True) as conn, ExitStack() as stack:
        plan("t", "u")(conn)
        claims.claim(conn, key="u", agent="zed")
        ends_leases(conn)
        a, b, c = (stack.enter_context(Session(database_url)) for _ in range(3))
        a.run("edits t", lambda conn: edits("t", "one")(conn, {}))
        pause = b.start("pauses t and u", lambda conn: pauses_all(conn, {}))
        assert is_blocked(b, pause)
        claim = c.start("claims t", lambda conn: claims.claim(conn, key="t", agent="ann"))
        assert is_blocked(c, claim)
        a.commit()

        assert pause.error() is None
        b.commit()
        assert claim.result() is None


def test_second_of_two_equal_requests_waits_holding_no_task(database_url: str) -> None:
    with connect(database_url, autocommit=True) as conn, ExitStack() as stack:
        given = holding("t", free="u v")(conn)
        a, b, c = (stack.enter_context(Session(database_url)) for _ in range(3))
        a.run("claims u", lambda conn: asks_for("u")(conn, given))
        chain = b.start("ends t, claims", lambda conn: goes_on(request=REQUEST)(conn, given))
        assert is_blocked(b, chain)

        c.run("renews t", lambda conn: holder(claims.heartbeat, "t")(conn, given))

        c.commit()
        a.commit()
        assert chain.error() is None
        b.commit()
        assert stands(t=DONE, u=("in_progress", 0), v=FREE)(conn)


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS[1:], ids=lambda level: level.name)
def test_request_that_is_newer_than_the_snapshot_is_not_waited_for(
    database_url: str, level: IsolationLevel
) -> None:
    with connect(database_url, autocommit=True) as conn, ExitStack() as stack:
        given = holding("t", free="v u")(conn)
        a = stack.enter_context(Session(database_url))
        b = stack.enter_context(Session(database_url, isolation=level))
        b.snapshot()
        claim = claims.claim(conn, key="u", agent="ann", request_id=REQUEST)
        assert claim
        given["u"] = claim
        a.run("renews u", lambda conn: holder(claims.heartbeat, "u")(conn, given))

        chain = b.start("ends t, claims", lambda conn: goes_on(request=REQUEST)(conn, given))

        assert isinstance(chain.error(), SerializationFailure)


MUTANTS = [
    Mutant(
        "a request is not stored with its claim",
        "functions/claim_tasks.sql",
        "claim_tasks",
        r"claim_request_id = request_id,",
        "claim_request_id = null,",
        ("two claims of two tasks by one request",),
    ),
    Mutant(
        "two equal requests do not take turns",
        "functions/claim_once.sql",
        "claim_once",
        r"perform await_request\(request_id\);",
        "",
        ("two claims of two tasks by one request",),
    ),
    Mutant(
        "a version is not compared",
        "functions/details_of.sql",
        "require_version",
        r"present <> expected",
        "false",
        ("two edits of one version",),
    ),
    Mutant(
        "a lease is not looked at again under the lock",
        "functions/pass_time.sql",
        "pass_time",
        r"(order by task.lease_expires_at\s+limit at_most)\s+for no key update skip locked",
        r"\1",
        ("many heartbeats, and a lapse",),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_guard_of_the_calls_that_is_taken_out_is_missed(
    databases: Databases, template: str, mutant: Mutant
) -> None:
    url = databases.clone(template)
    with ExitStack() as stack:
        arena = Arena(url, stack)
        arena.conn.execute(b"set search_path = taskdb, shared, pg_temp")
        arena.conn.execute(mutant.statement())
        races = [race for race in RACES if race.name in mutant.races]
        assert len(races) == len(mutant.races)

        assert any(
            arena.run(race, *pair, waiting=waiting).broke(race)
            for race in races
            for waiting in (True, False)
            for pair in PAIRS
            if race.is_for(*pair)
        )
    databases.drop(url)
