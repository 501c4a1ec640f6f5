"""Two sessions step through a race, at every pair of isolation levels, in both orders of commit.

Each race says what is there before, what either session does, which error the second one
gets in the end, and what holds then. A serialization failure (40001) is retried once, as
`Database.retrying` would: its retry must then end as the race says. Whatever happens, the
doctor must find nothing.

The races are in tests/races/tables. test_guards.py takes one guard after another out of the
triggers.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.errors import SerializationFailure

from taskdb.admin import doctor
from taskdb.errors import CircularDependencyError
from taskdb.queries import claims
from tests.arena import Arena
from tests.interleave import LEVELS, READ_COMMITTED, REPEATABLE_READ, Session, Step, wait_blocked
from tests.races.acts import adds, paused, pauses_all, plan, resumes_all
from tests.races.race import PAIRS, Act, Race, pair_name
from tests.races.tables import RACES
from tests.waiting import PATIENCE


def cases(usual: IsolationLevel) -> pytest.MarkDecorator:
    """All races at all pairs of levels; those of sessions without the *usual* level are slow."""
    return pytest.mark.parametrize(
        ("race", "pair"),
        [
            pytest.param(
                race,
                pair,
                id=f"{pair_name(pair)}-{race.name}",
                marks=[] if pair == race.pair_of(usual) else pytest.mark.slow,
            )
            for pair in PAIRS
            for race in RACES
            if race.is_for(*pair)
        ],
    )


@cases(usual=READ_COMMITTED)
def test_second_session_waits_for_the_first_and_everything_holds(
    arena: Arena, race: Race, pair: tuple[IsolationLevel, IsolationLevel]
) -> None:
    outcome = arena.run(race, *pair, waiting=True)

    assert not outcome.broke(race), outcome
    assert outcome.waited == race.waits


@cases(usual=REPEATABLE_READ)
def test_first_session_commits_after_the_snapshot_of_the_second_and_everything_holds(
    arena: Arena, race: Race, pair: tuple[IsolationLevel, IsolationLevel]
) -> None:
    outcome = arena.run(race, *pair, waiting=False)

    assert not outcome.broke(race), outcome


@pytest.mark.parametrize("level", LEVELS[1:], ids=lambda level: level.name)
@pytest.mark.parametrize("act", [pauses_all, resumes_all], ids=["pause", "resume"])
def test_above_read_committed_no_pause_begins_or_ends(
    arena: Arena, act: Act, level: IsolationLevel
) -> None:
    arena.clear()
    if act is resumes_all:
        paused(arena.conn)
    session = arena.session("first", level)

    error = session.start("acts", lambda conn: act(conn, {})).error()
    session.rollback()

    assert isinstance(error, psycopg.errors.ActiveSqlTransaction)
    assert "READ COMMITTED only" in str(error)


def first_done(waiting: dict[Session, Step[Any]]) -> Session:
    deadline = time.monotonic() + PATIENCE
    while True:
        for session, step in waiting.items():
            if step.done:
                return session
        assert time.monotonic() < deadline, "none of them goes on"
        time.sleep(0.001)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_three_edges_of_a_triangle_never_come_together(arena: Arena, level: IsolationLevel) -> None:
    arena.clear()
    plan("x", "y", "z")(arena.conn)
    sessions = [arena.session(name, level) for name in ("first", "second", "third")]
    for session in sessions:
        session.snapshot()

    sessions[0].run("adds x>y", lambda conn: adds("x>y")(conn, {}))
    steps = [
        sessions[1].start("adds y>z", lambda conn: adds("y>z")(conn, {})),
        sessions[2].start("adds z>x", lambda conn: adds("z>x")(conn, {})),
    ]
    for session in sessions[1:]:
        wait_blocked(session)
    sessions[0].commit()
    # One of the two goes on; when its transaction has ended, so does the other.
    errors: list[BaseException | None] = []
    waiting = dict(zip(sessions[1:], steps, strict=True))
    while waiting:
        session = first_done(waiting)
        errors.append(waiting.pop(session).error())
        if errors[-1] is None:
            session.commit()
        else:
            session.rollback()

    assert all(
        error is None or isinstance(error, (CircularDependencyError, SerializationFailure))
        for error in errors
    )
    assert any(errors)
    assert doctor.run(arena.conn) == []


def test_two_claimers_at_once_get_two_tasks(arena: Arena) -> None:
    arena.clear()
    plan("t", "u")(arena.conn)
    first, second = (arena.session(name, LEVELS[0]) for name in ("first", "second"))

    one = first.run("claims", lambda conn: claims.claim_next(conn, agent="ann"))
    other = second.run("claims", lambda conn: claims.claim_next(conn, agent="bob"))
    first.commit()
    second.commit()

    assert one
    assert other
    assert {one.key, other.key} == {"t", "u"}
    assert doctor.run(arena.conn) == []


def test_batches_at_once_share_nothing(arena: Arena) -> None:
    arena.clear()
    plan(*map(str, range(20)))(arena.conn)
    first, second = (arena.session(name, LEVELS[0]) for name in ("first", "second"))

    ones = first.run("claims", lambda conn: claims.claim_batch(conn, agent="ann", limit=15))
    others = second.run("claims", lambda conn: claims.claim_batch(conn, agent="bob", limit=15))
    first.commit()
    second.commit()

    assert (len(ones), len(others)) == (15, 5)
    assert not {claim.key for claim in ones} & {claim.key for claim in others}
    assert doctor.run(arena.conn) == []
