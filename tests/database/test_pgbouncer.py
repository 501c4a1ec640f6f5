"""Behind a real PgBouncer (Debian's 1.18): what works, what polls, and what is refused."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from psycopg import IsolationLevel

from taskdb import AsyncDatabase, Database, connect, connect_async, events, verify
from taskdb.errors import DatabaseError
from taskdb.models import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, tasks
from taskdb.testing.databases import Databases
from taskdb.worker import Job, Worker
from tests.bouncer import PROGRAM, pgbouncer, prepare

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="apt-get install pgbouncer")

REFUSAL = "mixes up the prepared statements"


@pytest.fixture(scope="module")
def module_url(databases: Databases, template: str) -> Generator[str]:
    url = databases.clone(template)
    prepare(databases, url)
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def shared_url(module_url: str) -> Generator[str]:
    """The way through a pooler in transaction mode."""
    with pgbouncer(module_url, "transaction") as url:
        yield url


@pytest.fixture(scope="module")
def session_url(module_url: str) -> Generator[str]:
    """The way through a pooler in session mode."""
    with pgbouncer(module_url, "session", processes=10) as url:
        yield url


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PREPARE", "off")


async def test_older_pooler_in_transaction_mode_is_refused_at_opening(shared_url: str) -> None:
    with pytest.raises(DatabaseError, match=REFUSAL) as refused:
        Database(shared_url).open()
    assert "Set DB_PREPARE=off" in (refused.value.hint or "")

    with pytest.raises(DatabaseError, match=REFUSAL):
        connect(shared_url)
    with pytest.raises(DatabaseError, match=REFUSAL):
        await AsyncDatabase(shared_url).open()
    with pytest.raises(DatabaseError, match=REFUSAL):
        await connect_async(shared_url)


def test_each_of_many_openings_is_refused_while_others_work(shared_url: str, without: None) -> None:
    stop = threading.Event()

    def work() -> None:
        with Database(shared_url, pool_min=1, pool_max=1) as database:
            while not stop.is_set():
                with database.transaction() as conn:
                    tasks.list_tasks(conn, limit=1)

    def open_one(_: int) -> str:
        with pytest.raises(DatabaseError) as refused:
            Database(shared_url, prepare=True).open()
        return str(refused.value)

    with ThreadPoolExecutor(5) as threads:
        working = [threads.submit(work) for _ in range(2)]
        messages = list(threads.map(open_one, range(9)))
        stop.set()
        for each in working:
            each.result()

    assert all(REFUSAL in message for message in messages)


def test_transaction_mode_works_without_prepared_statements(shared_url: str, without: None) -> None:
    def crew(name: str) -> int:
        """Make tasks, and work off whatever there is, by every way to call a query."""
        done = 0
        with Database(shared_url, pool_max=2) as database:
            with database.transaction() as conn:
                tasks.create_many(conn, [NewTask(title=f"{name} {n}") for n in range(10)])
            while claim := database.retrying(
                lambda conn: claims.claim_next(conn, agent=name),
                isolation=IsolationLevel.SERIALIZABLE,
            ):
                with database.connection() as conn:
                    assert tasks.get(conn, id=claim.task_id).key == claim.key
                    claims.complete(conn, task_id=claim.task_id, token=claim.token)
                done += 1
            with database.transaction() as conn:
                assert list(tasks.list_tasks.stream(conn, limit=3))
                assert tasks.get_by_key.batch(conn, [tasks.get_by_key.row(claim_key(conn))] * 3)
                assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (
                    0,
                )
        return done

    def claim_key(conn: psycopg.Connection) -> str:
        return tasks.list_tasks(conn, limit=1)[0].key

    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(crew, ["ada", "bob", "eve", "dan"]))

    assert sum(done) == 40
    with connect(shared_url) as conn:
        assert {task.status for task in tasks.list_tasks(conn, limit=100)} == {TaskStatus.COMPLETED}
        verify(conn)


async def test_async_pool_works_without_prepared_statements(shared_url: str) -> None:
    async with AsyncDatabase(shared_url, prepare=False) as database:
        for number in range(8):
            async with database.transaction() as conn:
                made = await tasks.create(conn, title=f"task {number}")
                assert (await tasks.get_by_key(conn, key=made.key)).title == made.title
                await tasks.delete(conn, key=made.key)
        async with database.connection() as conn:
            assert conn.prepare_threshold is None


@pytest.mark.slow
def test_worker_polls_in_transaction_mode_and_leaves_nothing_at_the_pooler(
    shared_url: str, module_url: str, without: None, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    worker: Worker

    def handle(job: Job) -> None:
        done.append(job.claim.key)
        worker.stop()

    with Database(shared_url) as database, caplog.at_level(logging.WARNING, "taskdb.events"):
        worker = Worker(database, handle, agent="ada", poll=timedelta(milliseconds=100))
        thread = threading.Thread(target=worker.serve)
        thread.start()
        with database.transaction() as conn:
            made = tasks.create(conn, title="Write the manual")
        thread.join(30)
        waited = events.claim_next(database, agent="bob", wait=timedelta(milliseconds=200))

    assert done == [made.key]
    assert waited is None
    assert "which delivers no notifications" in caplog.text
    with psycopg.connect(module_url) as conn:
        locks = "select count(*) from pg_locks where locktype = 'advisory'"
        assert conn.execute(locks).fetchone() == (0,)
    with psycopg.connect(shared_url, autocommit=True, prepare_threshold=None) as conn:
        assert conn.execute("select * from pg_listening_channels()").fetchall() == []


def test_session_mode_is_as_without_a_pooler(session_url: str) -> None:
    with Database(session_url, pool_min=1, pool_max=1) as database:
        for _ in range(8):
            with database.transaction() as conn:
                key = tasks.create(conn, title="Write the manual").key
                tasks.delete(conn, key=key)
        with database.connection() as conn:
            prepared = conn.execute("select count(*) > 0 from pg_prepared_statements").fetchone()
            assert prepared == (True,)
        with database.transaction() as conn:
            made = tasks.create(conn, title="Write the manual")
        woken = events.claim_next(database, agent="ada", wait=timedelta(seconds=1))

    assert woken
    assert woken.key == made.key


@pytest.mark.slow
def test_session_mode_with_a_single_process_is_no_obstacle(module_url: str) -> None:
    with pgbouncer(module_url, "session", processes=1) as url, connect(url) as conn:
        assert tasks.list_tasks(conn, limit=1) is not None
