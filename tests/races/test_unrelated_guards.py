"""Guards share a table, and nothing else: who writes one does not meet who writes another."""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
import pytest
from psycopg import IsolationLevel

from taskdb.queries import specs, tasks
from tests.interleave import LEVELS, SERIALIZABLE, Session
from tests.plans import make_tasks
from tests.races.acts import puts_under


@pytest.fixture
def url(database_url: str) -> str:
    """Two tasks, two specifications, and figures with which a scan of the guards is cheapest."""
    with Session(database_url) as first:
        first.run("makes them", make_two_of_each)
        first.commit()
    return database_url


def make_two_of_each(conn: psycopg.Connection[object]) -> None:
    make_tasks(conn, "x", "y")
    specs.create(conn, title="a", content="text")
    specs.create(conn, title="b", content="text")
    conn.execute(b"analyze guards")


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name.lower())
def test_changes_of_two_kinds_do_not_wait_or_fail(url: str, level: IsolationLevel) -> None:
    with ExitStack() as stack:
        mover, linker, maker = [
            stack.enter_context(Session(url, isolation=level)) for _ in range(3)
        ]
        for session in (mover, linker, maker):
            session.snapshot()

        mover.run("moves", lambda conn: puts_under("x", "y")(conn, {}))
        linker.run(
            "links", lambda conn: specs.add_dependency(conn, spec="SPEC-1", depends_on="SPEC-2")
        )
        maker.run("makes", lambda conn: make_tasks(conn, "z"))

        for session in (maker, linker, mover):
            session.commit()


def test_serializable_readers_of_a_guard_have_read_no_other(url: str) -> None:
    with Session(url, isolation=SERIALIZABLE) as maker:
        maker.run("makes", lambda conn: tasks.create(conn, key="z", title="z"))

        read = maker.run("is asked", predicate_locks)

    assert read
    assert "relation" not in read


def predicate_locks(conn: psycopg.Connection[tuple[object, ...]]) -> set[object]:
    """Return what this transaction has read of the guards: tuples, pages or the whole relation."""
    statement = """
        select locktype from pg_locks
        where mode = 'SIReadLock' and pid = pg_backend_pid()
            and relation in ('guards'::regclass, 'guards_pkey'::regclass)
    """
    return {row[0] for row in conn.execute(statement).fetchall()}
