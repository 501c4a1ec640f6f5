"""Tasks bound to a blocker (cancelled_with, compensates), in races with all that changes the two.

What ends with a blocker, or comes back with it, depends on each of its blockers: two of them that
change at once must not miss each other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from taskdb.errors import InvalidTransitionError
from taskdb.models import DependencyType, TaskStatus
from taskdb.queries import claims, dependencies, tasks
from taskdb.testing.databases import Databases
from tests.arena import Arena
from tests.interleave import LEVELS, READ_COMMITTED, REPEATABLE_READ
from tests.plans import make_tasks
from tests.races.acts import (
    FREE,
    OPEN,
    NothingLeftError,
    deletes,
    finishes,
    holder,
    moves,
    removes,
    stands,
    takes_this,
)
from tests.races.mutant import Mutant
from tests.races.race import PAIRS, Act, Given, Race
from tests.tiers import only

Connection = psycopg.Connection[Any]


def bound(
    *edges: str, ended: str = "", failed: str = "", claimed: str = ""
) -> Callable[[Connection], Given]:
    """Edges as "task kind blocker"; what is completed, has failed and is claimed by "zed" then."""

    def make(conn: Connection) -> Given:
        parts = [edge.split() for edge in edges]
        named = {key for task, _, blocker in parts for key in (task, blocker)}
        make_tasks(conn, *sorted(named))
        given: Given = {}
        for key in claimed.split():
            claim = claims.claim(conn, key=key, agent="zed")
            assert claim
            given[key] = claim
        for task, kind, blocker in parts:
            binds(task, kind, blocker)(conn, given)
        for key in ended.split():
            finishes(key)(conn, given)
        for key in failed.split():
            fails(key)(conn, given)
        return given

    return make


def binds(task: str, kind: str, blocker: str) -> Act:
    return lambda conn, given: dependencies.add_dependency(
        conn, task=task, depends_on=blocker, dependency_type=DependencyType(kind)
    )


def fails(key: str) -> Act:
    return moves(key, "failed", force=True)


def requeues(key: str) -> Act:
    return lambda conn, given: tasks.requeue(conn, keys=[key])


def holds(key: str) -> Act:
    """Hold a task by hand."""
    return lambda conn, given: tasks.update_status(
        conn, key=key, status=TaskStatus.BLOCKED, blocked_reason="it rains"
    )


WITH = "t cancelled_with a"
TWO = (WITH, "t cancelled_with b")
CHAIN = ("u cancelled_with a", "t cancelled_with u")
ENDED = "cancelled"
STARTED = ("in_progress", 1)


RACES = [
    # A blocker that ends, and an edge to it
    Race("a blocker fails, an edge to it added", bound("x requires a", "x requires t"),
         fails("a"), binds("t", "cancelled_with", "a"), stands(t=ENDED)),
    Race("an edge added, its blocker fails", bound("x requires a", "x requires t"),
         binds("t", "cancelled_with", "a"), fails("a"), stands(t=ENDED)),
    Race("a blocker completed, an edge to it added", bound("x requires a", "x requires t"),
         finishes("a"), binds("t", "cancelled_with", "a"), stands(t=FREE)),
    Race("an edge added, its blocker completed", bound("x requires a", "x requires t"),
         binds("t", "cancelled_with", "a"), finishes("a"), stands(t=FREE)),
    Race("a blocker fails, its compensation added", bound("x requires a", "x requires t"),
         fails("a"), binds("t", "compensates", "a"), stands(t=FREE)),
    Race("a compensation added, its blocker fails", bound("x requires a", "x requires t"),
         binds("t", "compensates", "a"), fails("a"), stands(t=FREE)),
    Race("a blocker completed, its compensation added", bound("x requires a", "x requires t"),
         finishes("a"), binds("t", "compensates", "a"), stands(t=ENDED)),
    Race("a compensation added, its blocker cancelled", bound("x requires a", "x requires t"),
         binds("t", "compensates", "a"), moves("a", "cancelled"), stands(t=ENDED)),
    Race("a blocker fails, an edge added to what ends with it", bound("u cancelled_with a",
         "x requires t"), fails("a"), binds("t", "cancelled_with", "u"), stands(u=ENDED, t=ENDED)),
    Race("an edge added, what its blocker is bound to fails", bound("u cancelled_with a",
         "x requires t"), binds("t", "cancelled_with", "u"), fails("a"), stands(u=ENDED, t=ENDED)),
    Race("a blocker fails, the edge to it removed", bound(WITH),
         fails("a"), removes("t>a"), stands(t=FREE)),
    Race("an edge removed, its blocker fails", bound(WITH),
         removes("t>a"), fails("a"), stands(t=FREE)),
    Race("a blocker fails, the middle of a chain deleted", bound(*CHAIN),
         fails("a"), deletes("u"), stands(t=ENDED)),
    Race("the middle of a chain deleted, a blocker fails", bound(*CHAIN),
         deletes("u"), fails("a"), stands(t=FREE)),
    Race("an edge of a chain removed, its first blocker fails", bound(*CHAIN),
         removes("t>u"), fails("a"), stands(u=ENDED, t=FREE)),
    # A blocker that ends, and its dependent
    Race("a blocker is failed after all, a claim of its dependent", bound(WITH, ended="a"),
         fails("a"), takes_this("t", "ann"), stands(t=ENDED), loser=NothingLeftError),
    Race("a dependent claimed, its blocker is failed after all", bound(WITH, ended="a"),
         takes_this("t", "ann"), fails("a"), stands(t=STARTED)),
    Race("a blocker requeued, a claim of its compensation",
         bound("t compensates a", failed="a"), requeues("a"), takes_this("t", "ann"),
         stands(t=OPEN), loser=NothingLeftError),
    Race("a compensation claimed, its blocker requeued",
         bound("t compensates a", failed="a"), takes_this("t", "ann"), requeues("a"),
         stands(t=STARTED)),
    Race("a blocker given up, a claim of its compensation",
         bound("t compensates a", failed="a"), moves("a", "cancelled"), takes_this("t", "ann"),
         stands(t=ENDED), loser=NothingLeftError),
    Race("a blocker fails, its dependent released", bound(WITH, claimed="t"),
         fails("a"), holder(claims.release), stands(t=ENDED)),
    Race("a dependent released, its blocker fails", bound(WITH, claimed="t"),
         holder(claims.release), fails("a"), stands(t=ENDED)),
    Race("a failed blocker requeued, its dependent released", bound(WITH, claimed="t", failed="a"),
         requeues("a"), holder(claims.release), stands(t=OPEN)),
    Race("a dependent released, its failed blocker requeued", bound(WITH, claimed="t", failed="a"),
         holder(claims.release), requeues("a"), stands(t=OPEN)),
    Race("a dependent released, the edge to its failed blocker removed",
         bound(WITH, claimed="t", failed="a"), holder(claims.release), removes("t>a"),
         stands(t=FREE)),
    Race("the edge to a failed blocker removed, its dependent released",
         bound(WITH, claimed="t", failed="a"), removes("t>a"), holder(claims.release),
         stands(t=FREE)),
    Race("a dependent released, an edge to a failed blocker added",
         bound("x requires t", "x requires b", claimed="t", failed="b"), holder(claims.release),
         binds("t", "cancelled_with", "b"), stands(t=ENDED)),
    Race("an edge to a failed blocker added, its dependent released",
         bound("x requires t", "x requires b", claimed="t", failed="b"),
         binds("t", "cancelled_with", "b"), holder(claims.release), stands(t=ENDED)),
    Race("a dependent released, its failed blocker deleted", bound(WITH, claimed="t", failed="a"),
         holder(claims.release), deletes("a"), stands(t=ENDED)),
    Race("a failed blocker deleted, its dependent released", bound(WITH, claimed="t", failed="a"),
         deletes("a"), holder(claims.release), stands(t=FREE)),
    Race("a blocker fails, the middle of a chain released", bound(*CHAIN, claimed="u"),
         fails("a"), holder(claims.release, "u"), stands(u=ENDED, t=ENDED)),
    Race("a blocker fails, its dependent held by hand", bound(WITH),
         fails("a"), holds("t"), stands(t=ENDED), loser=InvalidTransitionError),
    Race("a dependent held by hand, its blocker fails", bound(WITH),
         holds("t"), fails("a"), stands(t=ENDED)),
    Race("a blocker fails, its dependent cancelled", bound(WITH),
         fails("a"), moves("t", "cancelled"), stands(t=ENDED)),
    Race("a dependent cancelled by hand, its blocker fails", bound(WITH),
         moves("t", "cancelled"), fails("a"), stands(t=ENDED)),
    Race("a blocker fails, its dependent deleted", bound(*CHAIN),
         fails("a"), deletes("t"), stands(u=ENDED)),
    # Two blockers
    Race("both blockers fail", bound(*TWO), fails("a"), fails("b"), stands(t=ENDED)),
    Race("a blocker fails, the other one completed", bound(*TWO),
         fails("a"), finishes("b"), stands(t=ENDED)),
    Race("a blocker completed, the other one fails", bound(*TWO),
         finishes("a"), fails("b"), stands(t=ENDED)),
    Race("both blockers requeued", bound(*TWO, failed="a b"),
         requeues("a"), requeues("b"), stands(t=("blocked", 2))),
    Race("a blocker requeued, the other one fails", bound(*TWO, failed="a"),
         requeues("a"), fails("b"), stands(t=ENDED)),
    Race("a blocker fails, the other one requeued", bound(*TWO, failed="a"),
         fails("b"), requeues("a"), stands(t=ENDED)),
    Race("a blocker requeued, the other one completed", bound(*TWO, failed="a"),
         requeues("a"), finishes("b"), stands(t=OPEN)),
    Race("a blocker completed, the other one requeued", bound(*TWO, failed="a"),
         finishes("b"), requeues("a"), stands(t=OPEN)),
    Race("a blocker requeued, one of what ended with it fails",
         bound(*CHAIN, "u cancelled_with b", failed="a"), requeues("a"), fails("b"),
         stands(u=ENDED, t=ENDED)),
    Race("both blockers of a chain requeued, at its two ends",
         bound(*CHAIN, "t cancelled_with b", failed="a b"), requeues("a"), requeues("b"),
         stands(u=OPEN, t=("blocked", 2))),
    Race("a chain's first blocker requeued, its last one fails",
         bound(*CHAIN, "t cancelled_with b", failed="a"), requeues("a"), fails("b"),
         stands(u=OPEN, t=ENDED)),
    # A blocker that comes back
    Race("a blocker requeued, an edge to a dead one added",
         bound(WITH, "x requires b", failed="a b"), requeues("a"),
         binds("t", "cancelled_with", "b"), stands(t=ENDED)),
    Race("an edge to a dead blocker added, the other one requeued",
         bound(WITH, "x requires b", failed="a b"), binds("t", "cancelled_with", "b"),
         requeues("a"), stands(t=ENDED)),
    Race("an edge from a chain to a dead blocker added, its first one requeued",
         bound(*CHAIN, "x requires b", failed="a b"), binds("t", "cancelled_with", "b"),
         requeues("a"), stands(u=OPEN, t=ENDED)),
    Race("an edge to a dead blocker removed, the other one requeued", bound(*TWO, failed="a b"),
         removes("t>b"), requeues("a"), stands(t=OPEN)),
    Race("a blocker requeued, the edge to the other, dead one removed", bound(*TWO, failed="a b"),
         requeues("a"), removes("t>b"), stands(t=OPEN)),
    Race("the edges to both dead blockers removed", bound(*TWO, failed="a b"),
         removes("t>a"), removes("t>b"), stands(t=FREE)),
    Race("an edge to a dead blocker removed, the other one fails", bound(*TWO, failed="a"),
         removes("t>a"), fails("b"), stands(t=ENDED)),
    Race("a blocker fails, the edge to the other, dead one removed", bound(*TWO, failed="a"),
         fails("b"), removes("t>a"), stands(t=ENDED)),
    Race("an edge to a dead blocker removed, one of what ended with it fails",
         bound(*CHAIN, "t cancelled_with b", failed="a"), removes("u>a"), fails("b"),
         stands(u=FREE, t=ENDED)),
    Race("one of what ended with a blocker fails, the edge to that removed",
         bound(*CHAIN, "t cancelled_with b", failed="a"), fails("b"), removes("u>a"),
         stands(u=FREE, t=ENDED)),
    Race("a dead blocker deleted, the other one requeued", bound(*TWO, failed="a b"),
         deletes("b"), requeues("a"), stands(t=OPEN)),
    Race("a blocker requeued, its dependent cancelled", bound(WITH, failed="a"),
         requeues("a"), moves("t", "cancelled"), stands(t=ENDED)),
    Race("a blocker requeued, its dependent reopened by hand", bound(WITH, failed="a"),
         requeues("a"), moves("t", "pending", force=True), stands(t=OPEN)),
    Race("a dependent reopened by hand, its blocker requeued", bound(WITH, failed="a"),
         moves("t", "pending", force=True), requeues("a"), stands(t=OPEN)),
    Race("a blocker requeued, and it fails again", bound(*CHAIN, failed="a"),
         requeues("a"), fails("a"), stands(u=ENDED, t=ENDED)),
    Race("a blocker requeued twice", bound(*CHAIN, failed="a"),
         requeues("a"), requeues("a"), stands(u=OPEN, t=OPEN)),
]  # fmt: skip


@pytest.mark.parametrize("level", only(LEVELS, READ_COMMITTED), ids=lambda level: level.name)
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_second_session_waits_and_bound_tasks_end_with_their_blockers(
    arena: Arena, race: Race, level: IsolationLevel
) -> None:
    outcome = arena.run(race, level, level, waiting=True)

    assert not outcome.broke(race), outcome
    assert outcome.waited == race.waits


@pytest.mark.parametrize("level", only(LEVELS, REPEATABLE_READ), ids=lambda level: level.name)
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_bound_tasks_end_with_their_blockers_after_an_older_snapshot(
    arena: Arena, race: Race, level: IsolationLevel
) -> None:
    outcome = arena.run(race, level, level, waiting=False)

    assert not outcome.broke(race), outcome


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_bound_tasks_end_with_their_blockers_between_two_levels(
    arena: Arena, race: Race, pair: tuple[IsolationLevel, IsolationLevel]
) -> None:
    for waiting in (True, False):
        outcome = arena.run(race, *pair, waiting=waiting)

        assert not outcome.broke(race), outcome


MUTANTS = [
    Mutant(
        "what is bound to a blocker is not locked before it is looked for",
        "functions/follow_blocker.sql",
        "follow_blocker",
        r"perform\s+from unnest\(bound\).*?offset 0\s+\) as task;",
        "",
        ("a blocker requeued, the other one fails",),
    ),
    Mutant(
        "what stays cancelled is locked, but not written",
        "functions/follow_blocker.sql",
        "follow_blocker",
        r"update tasks as task\s+set has_dependents = task.has_dependents.*?;",
        "",
        ("both blockers requeued",),
    ),
    Mutant(
        "what ends with a blocker is not looked for again under the lock",
        "functions/follow_blocker.sql",
        "follow_blocker",
        r"(for no key update;)\s+ids := doomed_dependents\(of_task\);",
        r"\1",
        ("an edge of a chain removed, its first blocker fails",),
    ),
    Mutant(
        "what comes back is not looked for again under the lock",
        "functions/follow_blocker.sql",
        "take_up_again",
        r"(for no key update;)\s+ids := revived_tasks\(given_ids\);",
        r"\1",
        ("an edge from a chain to a dead blocker added, its first one requeued",),
    ),
    Mutant(
        "what is in progress is not written by a change of its blocker",
        "functions/follow_blocker.sql",
        "follow_blocker",
        r"'cancelled', 'in_progress', 'in_review'",
        "'cancelled'",
        ("a dependent released, its blocker fails", "a blocker fails, its dependent released"),
    ),
    Mutant(
        "an edge to what has ended cancels nothing",
        "functions/add_many_edges.sql",
        "add_many_edges",
        r"if types && '\{cancelled_with, compensates\}' then",
        "if false then",
        ("a blocker fails, an edge to it added",),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_guard_of_bound_tasks_that_is_taken_out_is_missed(
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
        )
    databases.drop(url)
