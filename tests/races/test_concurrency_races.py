"""Slots of concurrency keys in races: never too many in progress, and nobody waits in vain.

Each race ends with fresh claims, which must fill every slot: a task that was set aside while a slot
came free, and is offered to nobody, is missed by them.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.errors import DeadlockDetected, SerializationFailure

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.errors import ClaimLostError, IntegrityError, TaskdbError
from taskdb.models import TaskStatus
from taskdb.queries import claims, concurrency, tasks
from taskdb.testing.databases import Databases
from tests.arena import Arena
from tests.interleave import LEVELS, READ_COMMITTED, REPEATABLE_READ, Session, wait_blocked
from tests.plans import make_tasks
from tests.races.acts import (
    NothingLeftError,
    both,
    deletes,
    holder,
    lapses,
    moves,
    takes,
    takes_this,
)
from tests.races.mutant import Mutant
from tests.races.race import PAIRS, Act, Given, Race
from tests.tiers import only

Connection = psycopg.Connection[Any]


def keyed(
    *keys: str, slots: int = 1, held: int = 0, ended: int = 0, lapsed: bool = False
) -> Callable[..., Given]:
    """Tasks of one key; the first *held* are claimed, and the first *ended* of those completed."""

    def make(conn: Connection) -> Given:
        conn.execute(b"delete from concurrency_slots")
        concurrency.set_limit(conn, key="k", at_most=slots)
        make_tasks(conn, *keys, concurrency_key="k")
        make_tasks(conn, "other")
        conn.execute(b"update tasks set concurrency_key = 'l' where key = 'other'")
        given: Given = {}
        for key in keys[:held]:
            claim = claims.claim(conn, key=key, agent="zed")
            assert claim
            given[key] = claim
        for key in keys[:ended]:
            claims.complete(conn, task_id=given[key].task_id, token=given[key].token)
        if lapsed:
            conn.execute(
                b"update tasks set lease_expires_at = now() - interval '1 minute'"
                b" where claim_agent is not null"
            )
        return given

    return make


def tries(agent: str) -> Act:
    """Claim whatever there is, or nothing."""
    return lambda conn, given: claims.claim_batch(conn, agent=agent, limit=5, agent_type=None)


def limits(at_most: int, key: str = "k") -> Act:
    return lambda conn, given: concurrency.set_limit(conn, key=key, at_most=at_most)


def rekeys(key: str, to: str | None) -> Act:
    return lambda conn, given: tasks.update(conn, key, concurrency_key=to)


def filled(conn: Connection) -> bool:
    """Tell whether all is in order, and fresh claims fill every slot that they can."""
    for row in concurrency.list_keys(conn):
        if row.running > row.at_most:
            return False
    while claims.claim_next(conn, agent="fresh"):
        pass
    waiting = conn.execute(
        b"select task.key from tasks as task join concurrency_keys as used"
        b" on used.key = task.concurrency_key and used.running < used.at_most"
        b" where task.status = 'pending'"
    ).fetchall()
    return waiting == []


def no_more_than(count: int) -> Callable[[Connection], bool]:
    def look(conn: Connection) -> bool:
        return all(row.running <= count for row in concurrency.list_keys(conn))

    return look


RACES = [
    Race("two claims of one slot", keyed("t", "u"), both(takes_this("other", "x"), takes("a")),
         takes("b"), filled, loser=NothingLeftError, waits=False),
    Race("two claims of two slots", keyed("t", "u", slots=2), takes_this("t", "a"),
         takes_this("u", "b"), filled, waits=False),
    Race("two claims of the first slot of a key", keyed(), takes("a"), tries("b"), filled,
         waits=False),
    Race("a slot given back, and a claim", keyed("t", "u", held=1), holder(claims.complete),
         tries("b"), filled, waits=False),
    Race("a claim that finds no slot, and one given back", keyed("t", "u", held=1), tries("a"),
         holder(claims.complete), filled, waits=False),
    Race("two slots given back", keyed("t", "u", "v", "w", slots=2, held=2),
         holder(claims.complete), holder(claims.complete, key="u"), filled, waits=False),
    Race("a holder deleted, and a claim", keyed("t", "u", held=1), deletes("t"), tries("b"),
         filled, waits=False),
    Race("a holder cancelled, and a claim", keyed("t", "u", held=1), moves("t", "cancelled"),
         tries("b"), filled, waits=False),
    Race("a claim, and a limit raised", keyed("t", "u", "v", held=1), tries("a"), limits(2),
         filled, waits=True),
    Race("a limit raised, and a claim", keyed("t", "u", "v", held=1), limits(2), tries("b"),
         filled, waits=False),
    Race("a limit of a new key, and a claim", keyed(), limits(2, "l"), tries("b"), filled,
         waits=False),
    Race("a claim, and a limit of its new key", keyed(), tries("a"), limits(2, "l"), filled,
         waits=True),
    Race("a limit lowered, and a claim", keyed("s", "t", "u", "v", slots=3, held=3, ended=1),
         limits(1), takes_this("v", "b"), no_more_than(2), loser=NothingLeftError, waits=False),
    Race("a claim, and a limit lowered", keyed("s", "t", "u", "v", slots=3, held=3, ended=1),
         takes_this("v", "b"), limits(1), no_more_than(3), waits=True),
    Race("a limit lowered, and a slot given back", keyed("s", "t", "u", "v", slots=3, held=3),
         limits(1), holder(claims.complete), no_more_than(2), waits=True),
    Race("a slot given back, and a limit lowered", keyed("s", "t", "u", "v", slots=3, held=3),
         holder(claims.complete), limits(1), no_more_than(2), waits=True),
    Race("a limit lowered, and a start by hand", keyed("s", "t", "u", slots=2, held=1),
         limits(1), moves("u", "in_progress"), no_more_than(1), loser=IntegrityError, waits=False),
    Race("a start by hand, and a limit lowered", keyed("s", "t", "u", slots=2, held=1),
         moves("u", "in_progress"), limits(1), no_more_than(2), waits=True),
    Race("a limit lowered, and raised", keyed("s", "t", "u", slots=2, held=2), limits(1),
         limits(3), filled, waits=True),
    Race("a limit raised, and lowered", keyed("s", "t", "u", slots=2, held=2), limits(3),
         limits(1), no_more_than(2), waits=True),
    Race("a limit lowered, and a claim that ends another one",
         keyed("s", "t", "u", slots=2, held=2), limits(1),
         holder(claims.complete_and_claim_next, agent="b"), no_more_than(1)),
    Race("two completions that claim the next", keyed("t", "u", "v", "w", slots=2, held=2),
         holder(claims.complete_and_claim_next, agent="a"),
         holder(claims.complete_and_claim_next, "u", agent="b"), filled, waits=False),
    Race("a limit lowered, and a task put into the key", keyed("s", "t", slots=2, held=1),
         limits(1), both(moves("other", "in_progress"), rekeys("other", "k")), no_more_than(1),
         loser=IntegrityError, waits=False),
    Race("a task that is started put into the key, and a claim", keyed("s", "t", slots=2, held=1),
         both(moves("other", "in_progress"), rekeys("other", "k")), tries("b"), no_more_than(2),
         waits=False),
    Race("a start by hand, and a claim", keyed("t", "u"), moves("t", "in_progress"), tries("b"),
         filled, waits=False),
    Race("a lapse, and a claim", keyed("t", "u", held=1, lapsed=True), lapses, tries("b"), filled,
         waits=False),
    Race("a claim that ends another one's lease, and its completion",
         keyed("t", "u", held=1, lapsed=True), tries("b"), holder(claims.complete), filled,
         loser=ClaimLostError),
    Race("a task put into a full key, and a slot given back", keyed("t", held=1),
         rekeys("other", "k"), holder(claims.complete), filled, waits=False),
    Race("a slot given back, and a task put into the key", keyed("t", held=1),
         holder(claims.complete), rekeys("other", "k"), filled, waits=False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("level", "waiting"),
    only(
        [(level, waiting) for waiting in (True, False) for level in LEVELS],
        (READ_COMMITTED, True),
        (REPEATABLE_READ, False),
    ),
)
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_slots_are_never_exceeded_and_never_lie_idle(
    arena: Arena, race: Race, level: IsolationLevel, waiting: bool
) -> None:
    outcome = arena.run(race, level, level, waiting=waiting)

    assert not outcome.broke(race), outcome
    assert race.waits or not outcome.waited


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_slots_hold_between_sessions_of_two_levels(
    arena: Arena, race: Race, pair: tuple[IsolationLevel, IsolationLevel]
) -> None:
    for waiting in (True, False):
        outcome = arena.run(race, *pair, waiting=waiting)

        assert not outcome.broke(race), outcome


def set_aside_while_offered(url: str) -> bool:
    """Set a task aside, free its slot and offer it, in three sessions; tell whether it is lost."""
    with connect(url, autocommit=True) as conn:
        given = keyed("t", "u", held=1)(conn)
        claims.claim(conn, key="other", agent="zed")
        with (
            Session(url, isolation=LEVELS[0], name="sets aside") as aside,
            connect(url, autocommit=True) as others,
        ):
            aside.run("finds no slot", lambda own: claims.claim_next(own, agent="a"))
            holder(claims.complete)(others, given)
            claims.claim_next(others, agent="b")
            aside.commit()
        return not doctor.run(conn) and claims.claim_next(conn, agent="c") is not None


def test_no_task_is_set_aside_behind_an_offer(arena: Arena) -> None:
    arena.clear()

    assert set_aside_while_offered(arena.url)


def test_no_task_is_set_aside_for_a_slot_that_is_never_made(database_url: str) -> None:
    with connect(database_url) as first, connect(database_url, autocommit=True) as others:
        make_tasks(others, "a", concurrency_key="k", agent_type="coder")
        make_tasks(others, "b", concurrency_key="k", agent_type="tester")
        assert claims.claim_next(first, agent="ann", agent_type="coder")
        assert claims.claim_next(others, agent="bob", agent_type="tester") is None
        first.rollback()

        assert claims.claim_next(others, agent="bob", agent_type="tester")


MUTANTS = [
    Mutant(
        "a free slot is read, but not locked",
        "functions/take_slot.sql",
        "take_slot",
        r"for update skip locked;",
        ";",
        ("two claims of one slot",),
    ),
    Mutant(
        "a lowered limit writes the surplus slots only",
        "functions/set_concurrency_limit.sql",
        "set_concurrency_limit",
        r"where slot\.key = of_key;\s+perform",
        "where slot.key = of_key and slot.slot > new_limit; perform",
        ("a limit lowered, and a claim",),
    ),
    Mutant(
        "a slot given back is not marked",
        "functions/take_slot.sql",
        "give_slot_back",
        r"is_unseen = true",
        "is_unseen = false",
        ("a claim that finds no slot, and one given back",),
    ),
    Mutant(
        "tasks are set aside without a lock on the slots",
        "functions/offer_slots.sql",
        "set_aside",
        r"for key share skip locked",
        "",
        (),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_guard_of_the_slots_that_is_taken_out_is_missed(
    databases: Databases, template: str, mutant: Mutant
) -> None:
    url = databases.clone(template)
    with ExitStack() as stack:
        arena = Arena(url, stack)
        arena.conn.execute(b"set search_path = taskdb, shared, pg_temp")
        arena.conn.execute(mutant.statement())
        races = [race for race in RACES if race.name in mutant.races]

        assert not set_aside_while_offered(url) or any(
            arena.run(race, *pair, waiting=waiting).broke(race)
            # A session that has changed many slots takes a random one: often the right one.
            for _ in range(8)
            for race in races
            for waiting in (True, False)
            for pair in PAIRS
        )
    databases.drop(url)


SECONDS = 4.0


@pytest.mark.slow
def test_many_workers_on_few_keys_leave_nothing_behind(database_url: str) -> None:
    with connect(database_url, autocommit=True) as conn:
        for key, at_most in (("k", 1), ("l", 2), ("m", 3)):
            concurrency.set_limit(conn, key=key, at_most=at_most)
        for number in range(30):
            make_tasks(conn, f"t{number}", concurrency_key="klm"[number % 3])
        stop = time.monotonic() + SECONDS
        errors: list[BaseException] = []
        threads = [
            threading.Thread(target=_work, args=(database_url, number, stop, errors))
            for number in range(6)
        ]
        for thread in threads:
            thread.start()
        most: dict[str, int] = {}
        while time.monotonic() < stop:
            for row in concurrency.list_keys(conn):
                most[row.key] = max(most.get(row.key, 0), row.running - row.at_most)
        for thread in threads:
            thread.join()

        assert errors == []
        assert max(most.values()) <= 0
        assert doctor.run(conn) == []
        assert filled(conn)
        assert doctor.run(conn) == []


def _work(url: str, number: int, stop: float, errors: list[BaseException]) -> None:
    chance = random.Random(number)
    try:
        with connect(url, autocommit=True) as conn:
            while time.monotonic() < stop:
                conn.isolation_level = chance.choice([LEVELS[0], LEVELS[0], LEVELS[1], LEVELS[2]])
                try:
                    with conn.transaction():
                        _act(conn, chance, f"w{number}")
                except (SerializationFailure, DeadlockDetected):
                    pass
                except TaskdbError as error:
                    # A by-hand start of a full key, a transition that is not allowed now, or a
                    # claim that another thread has revoked since it was listed.
                    lost = isinstance(error, LookupError | ClaimLostError)
                    if not lost and error.sqlstate not in ("TD007", "TD001"):
                        raise
    except Exception as error:  # noqa: BLE001
        errors.append(error)


def _act(conn: Connection, chance: random.Random, agent: str) -> None:
    key = f"t{chance.randrange(30)}"
    held = claims.list_live(conn, agent=agent)
    match chance.choice(["claim", "claim", "batch", "chain", "end", "end", "edit", "move"]):
        case "claim":
            claims.claim_next(conn, agent=agent)
        case "batch":
            claims.claim_batch(conn, agent=agent, limit=3)
        case "chain" if held:
            claims.complete_and_claim_next(
                conn, task_id=held[0].task_id, token=held[0].token, agent=agent
            )
        case "end" if held:
            one = chance.choice(held)
            claims.release(conn, task_id=one.task_id, token=one.token)
        case "edit":
            tasks.update(conn, key, priority=chance.randint(1, 10))
        case "move":
            status = chance.choice([TaskStatus.PENDING, TaskStatus.CANCELLED])
            tasks.update_status(conn, key, status=status, force=True)
        case _:
            pass


@pytest.mark.slow
def test_endings_that_give_slots_back_in_their_order_and_a_limit_do_not_deadlock(
    database_url: str,
) -> None:
    with connect(database_url) as conn:
        make_tasks(conn, "a", "b", "c", concurrency_key="k")
        concurrency.set_limit(conn, key="k", at_most=3)
        held = [claims.claim(conn, key=key, agent="ann") for key in ("c", "b", "a")]
        ids, tokens = zip(*[(one.task_id, one.token) for one in held if one], strict=True)
    with Session(database_url) as ends, Session(database_url) as limits, Session(database_url) as x:
        x.run(
            "locks b's slot",
            lambda conn: conn.execute(b"select from concurrency_slots where slot = 2 for update"),
        )
        ending = ends.start(
            "gives slot 3 back",
            lambda conn: claims.complete_many(conn, task_ids=list(ids), tokens=list(tokens)),
        )
        wait_blocked(ends, by=x)
        limit = limits.start(
            "locks slot 1", lambda conn: concurrency.set_limit(conn, key="k", at_most=1)
        )
        wait_blocked(limits)
        x.rollback()
        assert all(one.was_held for one in ending.result())
        ends.commit()

        assert limit.result().running == 0


@pytest.mark.slow
def test_a_limit_that_closes_a_cycle_of_waits_ends_in_a_deadlock_that_is_found(
    database_url: str,
) -> None:
    with connect(database_url) as conn:
        make_tasks(conn, "a", concurrency_key="k")
        make_tasks(conn, "b")
        concurrency.set_limit(conn, key="k", at_most=1)
    with Session(database_url) as limits, Session(database_url) as claimer:
        limits.run("locks b", lambda conn: tasks.update(conn, "b", priority=1))
        claimer.run("takes the slot", lambda conn: claims.claim(conn, key="a", agent="ann"))
        edit = claimer.start("waits for b", lambda conn: tasks.update(conn, "b", priority=2))
        wait_blocked(claimer, by=limits)
        time.sleep(1.2)  # The server has looked for a deadlock here, and does not look again.
        limit = limits.start(
            "waits for the slot", lambda conn: concurrency.set_limit(conn, key="k", at_most=2)
        )

        with pytest.raises(DeadlockDetected):
            limit.result()
        limits.rollback()
        assert edit.result()
