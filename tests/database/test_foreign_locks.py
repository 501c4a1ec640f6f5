"""Advisory locks of the project's keys, held by a role that may connect and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta

import psycopg
import pytest

from taskdb import Database, events
from taskdb.database import connect, roles
from taskdb.queries import claims, dependencies, tasks
from tests.database.privileges import Conn, MakeRole, execute, is_refused

Hold = Callable[[str], None]


@pytest.fixture
def hold(make_role: MakeRole) -> Generator[Hold]:
    """Hold the lock of a text for good, as a stranger."""
    _, url = make_role()
    with psycopg.connect(url, autocommit=True) as stranger:
        yield lambda text: stranger.execute(
            "select pg_advisory_lock(hashtextextended(%s, 0))", (text,)
        ).close()


@pytest.fixture
def app(owner: Conn, make_role: MakeRole) -> Generator[tuple[Conn, Database]]:
    """A connection and a pool of an app that waits for nothing longer than ten seconds."""
    role, url = make_role()
    roles.grant(owner, "taskdb", role, "app")
    with connect(url, autocommit=True) as conn, Database(url) as database:
        conn.execute("set statement_timeout = '10s'")
        yield conn, database


def test_dependencies_are_added_against_the_order_of_creation(
    app: tuple[Conn, Database], hold: Hold
) -> None:
    """The repair of ranks once took a lock that anybody could hold."""
    hold("taskdb graph taskdb")
    conn, _ = app
    for key in ("a", "b", "c"):
        tasks.create(conn, key=key, title=key)

    dependencies.add_dependency(conn, task="a", depends_on="b")
    dependencies.add_dependency(conn, task="b", depends_on="c")

    assert execute(conn, "select key from tasks order by graph_rank") == [("c",), ("b",), ("a",)]


def test_no_role_but_the_owner_holds_the_lock_of_the_repair(
    as_role: Callable[[roles.Kind], Conn],
) -> None:
    statement = "lock table task_status_transitions in share update exclusive mode"
    kinds: tuple[roles.Kind, ...] = ("reader", "worker", "app")

    assert all(is_refused(as_role(kind), statement) for kind in kinds)


@pytest.mark.parametrize("kind", ["", "*"])
def test_work_is_found_by_polling(app: tuple[Conn, Database], hold: Hold, kind: str) -> None:
    hold(f"taskdb taskdb: waits for {kind}")
    conn, database = app
    tasks.create(conn, key="a", title="a")

    poll = timedelta(milliseconds=50)
    taken = events.claim_next(database, agent="ann", wait=timedelta(seconds=10), poll=poll)

    assert taken is not None
    assert taken.key == "a"


def test_only_the_first_task_of_a_concurrency_key_can_be_kept_from_its_slot(
    app: tuple[Conn, Database], hold: Hold
) -> None:
    hold("taskdb.concurrency_slots.repo")
    hold("taskdb.concurrency_slots.limited")
    conn, _ = app
    tasks.create(conn, key="a", title="a", concurrency_key="repo")
    execute(conn, "select set_concurrency_limit('limited', 1)")
    tasks.create(conn, key="b", title="b", concurrency_key="limited")

    assert claims.claim(conn, key="a", agent="ann") is None
    assert claims.claim(conn, key="b", agent="ann") is not None
