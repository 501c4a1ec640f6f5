"""Files and phases under concurrency: two sessions step by step, and twenty workers at once."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

import psycopg
import pytest
from psycopg import IsolationLevel

from taskdb import Database
from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.errors import CircularDependencyError, IntegrityError
from taskdb.models import Claim, NewImplementationTask, ReasonCode, SpecType, TaskStatus
from taskdb.queries import claims, dependencies, implementation_tasks, specs, tasks
from tests.arena import Arena, is_blocked
from tests.interleave import LEVELS, Session
from tests.races.race import Given, Race

Connection: TypeAlias = psycopg.Connection[Any]


def make_spec(conn: Connection, *files: list[str], **more: Any) -> None:
    """SPEC-1 with a task T1, T2, ... for each list of files."""
    conn.execute(b"delete from technical_specs")
    specs.create_with_tasks(
        conn,
        title="Login",
        spec_number=1,
        content="text",
        tasks=[
            NewImplementationTask(scope="all", key=f"T{n}", assigned_files=one)
            for n, one in enumerate(files, 1)
        ],
        **more,
    )


def held(conn: Connection) -> dict[str, str]:
    rows = conn.execute(
        "select path, key from file_locks join tasks on tasks.id = task_id order by path"
    )
    return dict(rows.fetchall())


def status(conn: Connection, key: str) -> TaskStatus:
    return tasks.get_by_key(conn, key=key).status


# One session


def test_tasks_that_share_a_file_with_one_in_progress_are_passed_over(conn: Connection) -> None:
    make_spec(conn, ["a.py", "b.py"], ["b.py", "c.py"], ["c.py"])
    first = claims.claim_next(conn, agent="ada")
    second = claims.claim_next(conn, agent="ben")

    assert first
    assert second
    assert (first.key, second.key) == ("T1", "T3")
    assert claims.claim_next(conn, agent="cy") is None
    assert claims.claim(conn, key="T2", agent="cy") is None
    assert implementation_tasks.list_ready(conn, spec="SPEC-1") == []
    why = dependencies.why_not_ready(conn, key="T2")
    assert [(one.reason, one.blocker_key, one.detail) for one in why] == [
        (ReasonCode.FILES, "T1", "b.py is locked by T1"),
        (ReasonCode.FILES, "T3", "c.py is locked by T3"),
    ]
    assert doctor.run(conn) == []

    claims.complete(conn, task_id=first.task_id, token=first.token)
    claims.release(conn, task_id=second.task_id, token=second.token)
    third = claims.claim(conn, key="T2", agent="cy")
    assert third
    assert held(conn) == {"b.py": "T2", "c.py": "T2"}
    assert doctor.run(conn) == []


def test_a_hundred_that_overlap_do_not_hide_what_is_behind_them(conn: Connection) -> None:
    make_spec(conn, ["a.py"], *([["a.py"]] * 150), ["b.py"])
    claims.claim_next(conn, agent="ada")

    behind = claims.claim_next(conn, agent="ben")

    assert behind
    assert behind.key == "T152"


def test_a_batch_takes_no_two_that_overlap(conn: Connection) -> None:
    make_spec(conn, ["a.py"], ["a.py", "b.py"], ["b.py"], ["c.py"])

    batch = claims.claim_batch(conn, agent="ada", limit=10)

    assert [claim.key for claim in batch] == ["T1", "T3", "T4"]
    assert status(conn, "T2") is TaskStatus.PENDING
    assert doctor.run(conn) == []


def test_every_way_out_of_progress_gives_the_files_back(conn: Connection) -> None:
    make_spec(conn, ["a.py"])
    for leave in ("submit", "fail", "release", "revoke", "force"):
        claim = claims.claim(conn, key="T1", agent="ada")
        assert claim
        assert held(conn) == {"a.py": "T1"}, leave
        holder: dict[str, Any] = {"task_id": claim.task_id, "token": claim.token}
        match leave:
            case "submit":
                claims.submit(conn, **holder)
            case "fail":
                claims.fail(conn, **holder, error="no")
            case "release":
                claims.release(conn, **holder)
            case "revoke":
                tasks.update_status(conn, key="T1", status=TaskStatus.CANCELLED)
            case _:
                tasks.update_status(conn, key="T1", status=TaskStatus.ARCHIVED, force=True)
        assert held(conn) == {}, leave
        tasks.update_status(conn, key="T1", status=TaskStatus.PENDING, force=True)
    claims.claim(conn, key="T1", agent="ada")
    tasks.delete(conn, key="T1")
    assert held(conn) == {}


def test_who_takes_over_a_lapsed_task_takes_its_files_with_it(conn: Connection) -> None:
    make_spec(conn, ["a.py"], ["a.py"])
    claims.claim(conn, key="T1", agent="ada")
    conn.execute("update tasks set lease_expires_at = now() - interval '1 hour' where key = 'T1'")

    again = claims.claim_next(conn, agent="ben")

    assert again
    assert again.key == "T1"
    assert held(conn) == {"a.py": "T1"}
    assert doctor.run(conn) == []


def test_starting_by_hand_holds_files_and_is_refused_those_of_others(conn: Connection) -> None:
    make_spec(conn, ["a.py"], ["a.py"])
    tasks.update_status(conn, key="T1", status=TaskStatus.IN_PROGRESS)

    assert claims.claim_next(conn, agent="ada") is None
    for force in (False, True):
        with pytest.raises(IntegrityError) as refused, conn.transaction():
            tasks.update_status(conn, key="T2", status=TaskStatus.IN_PROGRESS, force=force)
        assert refused.value.field == "assigned_files"
        assert "a.py is locked by task T1" in str(refused.value)
    assert doctor.run(conn) == []


def test_files_that_change_while_in_progress_change_hands(conn: Connection) -> None:
    make_spec(conn, ["a.py", "b.py"], ["c.py"])
    claims.claim_batch(conn, agent="ada", limit=2)

    implementation_tasks.update(conn, key="T1", assigned_files=["b.py", "d.py", "d.py"])
    assert held(conn) == {"b.py": "T1", "c.py": "T2", "d.py": "T1"}
    with pytest.raises(IntegrityError) as refused, conn.transaction():
        implementation_tasks.update(conn, key="T1", assigned_files=["c.py"])

    assert refused.value.field == "assigned_files"
    assert doctor.run(conn) == []


def test_a_task_in_progress_that_is_adopted_holds_its_files(conn: Connection) -> None:
    make_spec(conn, ["a.py"])
    tasks.create(conn, key="T", title="Started", status=TaskStatus.IN_PROGRESS)

    implementation_tasks.adopt(conn, key="T", spec="SPEC-1", scope="all", assigned_files=["a.py"])

    assert held(conn) == {"a.py": "T"}
    assert claims.claim_next(conn, agent="ada") is None


def test_batch_waits_for_no_file_with_others_in_hand(database_url: str) -> None:
    """Two batches, each waiting for a file that the other has taken, would deadlock."""
    with connect(database_url) as conn:
        make_spec(conn, ["b.py"], ["k.py"], ["a.py"], ["k.py"])
    with Session(database_url) as one, Session(database_url) as other:
        taking = other.run("takes k.py", lambda conn: claims.claim(conn, key="T4", agent="cy"))
        assert taking
        got = one.run("a batch", lambda conn: claims.claim_batch(conn, agent="ann", limit=3))

    assert [claim.key for claim in got] == ["T1", "T3"]


# Two sessions


def two_tasks(conn: Connection) -> None:
    make_spec(conn, ["a.py", "b.py"], ["b.py"], ["c.py"])


def crowd(conn: Connection) -> None:
    make_spec(conn, *([["a.py"]] * 80), ["b.py"])


def two_specs(conn: Connection) -> None:
    conn.execute(b"delete from technical_specs")
    for number in (1, 2):
        specs.create(conn, spec_number=number, title="Login", content="text")


def two_phases(conn: Connection) -> None:
    conn.execute(b"delete from technical_specs")
    specs.create(
        conn,
        spec_number=1,
        title="Login",
        spec_type=SpecType.HIERARCHICAL,
        structure={"phases": [{"name": "a"}, {"name": "b"}]},
    )


def claim_key(key: str) -> Any:
    return lambda conn, given: claims.claim(conn, key=key, agent=key)


def no_two_share(conn: Connection) -> bool:
    wanted = conn.execute(
        "select count(*) from implementation_tasks join tasks on id = task_id"
        " cross join unnest(assigned_files) where status = 'in_progress'"
    ).fetchone()
    return wanted == (len(held(conn)),)


def drop_phase(conn: Connection, given: Given) -> None:
    specs.update(conn, key="SPEC-1", structure={"phases": [{"name": "a"}]})


def use_phase(conn: Connection, given: Given) -> None:
    implementation_tasks.create(conn, spec="SPEC-1", scope="b", key="T")


def reassign(conn: Connection, given: Given) -> None:
    implementation_tasks.update(conn, key="T3", assigned_files=["b.py"])


RACES = [
    Race(
        "two claims of one file",
        two_tasks,
        claim_key("T1"),
        claim_key("T2"),
        lambda conn: no_two_share(conn) and status(conn, "T2") is TaskStatus.PENDING,
    ),
    Race(
        "a claim and the next one",
        two_tasks,
        claim_key("T1"),
        lambda conn, given: claims.claim_next(conn, agent="next"),
        lambda conn: no_two_share(conn) and status(conn, "T3") is TaskStatus.IN_PROGRESS,
    ),
    Race(
        "a claim, and the next one behind many of the same file",
        crowd,
        lambda conn, given: claims.claim_next(conn, agent="first"),
        lambda conn, given: claims.claim_next(conn, agent="next"),
        lambda conn: no_two_share(conn) and status(conn, "T81") is TaskStatus.IN_PROGRESS,
    ),
    Race(
        "a claim, and a batch behind many of the same file",
        crowd,
        lambda conn, given: claims.claim_next(conn, agent="first"),
        lambda conn, given: claims.claim_batch(conn, agent="next", limit=2),
        lambda conn: no_two_share(conn) and status(conn, "T81") is TaskStatus.IN_PROGRESS,
    ),
    Race(
        "a claim and a start by hand",
        two_tasks,
        claim_key("T1"),
        lambda conn, given: tasks.update_status(conn, key="T2", status=TaskStatus.IN_PROGRESS),
        no_two_share,
        loser=IntegrityError,
    ),
    Race(
        "files assigned, and their task claimed",
        two_tasks,
        reassign,
        claim_key("T3"),
        lambda conn: no_two_share(conn) and held(conn) == {"b.py": "T3"},
    ),
    Race(
        "a task claimed, and its files changed",
        two_tasks,
        claim_key("T3"),
        reassign,
        lambda conn: no_two_share(conn) and held(conn) == {"b.py": "T3"},
    ),
    Race(
        "two specifications build on each other",
        two_specs,
        lambda conn, given: specs.add_dependency(conn, spec="SPEC-1", depends_on="SPEC-2"),
        lambda conn, given: specs.add_dependency(conn, spec="SPEC-2", depends_on="SPEC-1"),
        lambda conn: len(specs.list_dependencies(conn, key="SPEC-1")) == 1,
        loser=CircularDependencyError,
    ),
    Race(
        "a phase goes, and gets a task",
        two_phases,
        drop_phase,
        use_phase,
        lambda conn: tasks.list_tasks(conn) == [],
        loser=IntegrityError,
    ),
    Race(
        "a phase gets a task, and goes",
        two_phases,
        use_phase,
        drop_phase,
        lambda conn: len(specs.list_phases(conn, key="SPEC-1")) == 2,
        loser=IntegrityError,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_whoever_comes_second_is_told_and_nothing_is_shared(arena: Arena, race: Race) -> None:
    broken: list[tuple[IsolationLevel, IsolationLevel, bool, object]] = []
    for first, second, waiting in itertools.product(LEVELS, LEVELS, (True, False)):
        outcome = arena.run(race, first, second, waiting=waiting)
        if outcome.broke(race):
            broken.append((first, second, waiting, outcome))

    assert broken == []


@pytest.mark.slow
def test_more_of_one_file_than_a_claim_looks_at_hide_nothing(arena: Arena) -> None:
    """Twelve hundred want the file that another claim takes in this very moment."""
    arena.clear()
    make_spec(arena.conn, *([["a.py"]] * 1_200), ["b.py"])
    first, second = (arena.session(name, LEVELS[0]) for name in ("first", "second"))
    first.run("claims", lambda conn: claims.claim_next(conn, agent="first"))

    step = second.start("claims", lambda conn: claims.claim_next(conn, agent="second"))
    assert is_blocked(second, step)
    first.commit()
    claim = step.result()
    second.commit()

    assert claim
    assert claim.key == "T1201"
    assert doctor.run(arena.conn) == []


# Twenty workers


def test_twenty_workers_on_two_hundred_tasks_never_share_a_file(
    database_url: str,
) -> None:
    """No two in progress share a file, all get done, at most one claim in ten is tried again."""
    chance = random.Random(5)
    files = [f"src/{n}.py" for n in range(80)]
    touched: Counter[str] = Counter()
    shared: list[str] = []
    lock = threading.Lock()
    done = itertools.count()

    with Database(database_url, pool_max=20) as database:
        with database.transaction() as conn:
            make_spec(conn, *(chance.sample(files, chance.randint(1, 4)) for _ in range(200)))
            assigned = {
                task.key: task.assigned_files
                for task in implementation_tasks.list_tasks(conn, spec="SPEC-1")
            }

        def finish(conn: Connection, claim: Claim) -> None:
            implementation_tasks.complete(
                conn, task_id=claim.task_id, token=claim.token, commit_sha="abc123"
            )

        def work(number: int) -> None:
            take = partial(claims.claim_next, agent=f"worker-{number}")
            while True:
                claim = database.retrying(take)
                if claim is None:
                    with database.connection() as conn:
                        if not tasks.list_tasks(conn, status=TaskStatus.PENDING, limit=1):
                            return
                    continue
                with lock:
                    touched.update(assigned[claim.key])
                    shared.extend(file for file in assigned[claim.key] if touched[file] > 1)
                beat = partial(claims.heartbeat, task_id=claim.task_id, token=claim.token)
                database.retrying(beat)
                with lock:
                    touched.subtract(assigned[claim.key])
                database.retrying(partial(finish, claim=claim))
                next(done)

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(work, range(20)))
        figures = database.health().pool
        with database.connection() as conn:
            progress = specs.progress(conn, key="SPEC-1")
            findings = doctor.run(conn)

    assert shared == []
    assert (progress.completed_count, next(done)) == (200, 200)
    assert findings == []
    assert figures.retries <= 20, figures
