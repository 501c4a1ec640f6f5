"""Two or more sessions stepping through a race in an order that the test fixes.

::

    with Session(url, isolation=SERIALIZABLE) as a, Session(url) as b:
        a.run("adds A→B", lambda conn: dependencies.add_dependency(conn, task="A", depends_on="B"))
        step = b.start("adds B→A", lambda conn: ...)   # goes on in b's own thread
        wait_blocked(b)                                # now it really waits for a lock, by a
        a.commit()
        assert isinstance(step.error(), CircularDependencyError)

A session has one connection and one thread; its steps run one after another, in one transaction,
until `commit` or `rollback`. Nothing here waits for a time: only for a step's end, or until
`pg_blocking_pids` says that the session waits; what never comes fails with what was seen instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

import psycopg
from psycopg import IsolationLevel

from taskdb.database import connect
from tests.waiting import PATIENCE

T = TypeVar("T")
Connect = Callable[[str], psycopg.Connection[Any]]

READ_COMMITTED: Final = IsolationLevel.READ_COMMITTED
REPEATABLE_READ: Final = IsolationLevel.REPEATABLE_READ
SERIALIZABLE: Final = IsolationLevel.SERIALIZABLE
LEVELS: Final = (READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE)


class Step(Generic[T]):
    """One step under way, or done."""

    def __init__(self, name: str, future: Future[T]) -> None:
        self.name = name
        self._future = future

    @property
    def done(self) -> bool:
        return self._future.done()

    def result(self) -> T:
        """Wait for the step and return what it returned, or raise what it raised."""
        self._wait()
        return self._future.result()

    def error(self) -> BaseException | None:
        """Wait for the step and return what it raised, or None."""
        self._wait()
        return self._future.exception()

    def _wait(self) -> None:
        if wait([self._future], PATIENCE).not_done:
            raise AssertionError(f"step {self.name!r} did not end")


class Session:
    """One connection, in a thread of its own. `name` stands in messages."""

    def __init__(
        self,
        url: str,
        *,
        isolation: IsolationLevel | None = None,
        name: str = "session",
        connect: Connect = connect,
    ) -> None:
        self.name = name
        self.conn = connect(url)
        self.conn.isolation_level = isolation
        self.pid = self.conn.info.backend_pid
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._steps: list[Step[Any]] = []
        self._watch = psycopg.connect(url, autocommit=True)

    def start(self, name: str, act: Callable[[psycopg.Connection[Any]], T]) -> Step[T]:
        """Begin *act* in the session's thread, after the steps before it; return at once."""
        step = Step(f"{self.name}: {name}", self._thread.submit(act, self.conn))
        self._steps.append(step)
        return step

    def run(self, name: str, act: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Do *act* and wait for its end."""
        return self.start(name, act).result()

    def snapshot(self) -> None:
        """Begin the transaction and take its snapshot (kept above READ COMMITTED)."""
        self.run("takes its snapshot", lambda conn: conn.execute("select 1 from pg_class limit 1"))

    def commit(self) -> None:
        self.run("commits", lambda conn: conn.commit())

    def rollback(self) -> None:
        self.run("rolls back", lambda conn: conn.rollback())

    def blockers(self) -> list[int]:
        """Return the process ids of the sessions that this one waits for now."""
        row = self._watch.execute("select pg_blocking_pids(%s)", (self.pid,)).fetchone()
        assert row is not None
        return list(row[0])

    @property
    def last(self) -> Step[Any]:
        return self._steps[-1]

    def close(self) -> None:
        """Cancel what still waits, roll back, and close."""
        if any(not step.done for step in self._steps):
            self.conn.cancel()
        self._thread.shutdown()
        self.conn.close()
        self._watch.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def wait_blocked(session: Session, *, by: Session | None = None) -> None:
    """Wait until *session* waits for a lock (of *by*); fail if its step ends without waiting."""
    deadline = time.monotonic() + PATIENCE
    step = session.last
    while True:
        blockers = session.blockers()
        if blockers and (by is None or by.pid in blockers):
            return
        if step.done:
            raise AssertionError(f"step {step.name!r} ended without waiting: {step.error()!r}")
        if time.monotonic() > deadline:
            raise AssertionError(f"step {step.name!r} neither waits nor ends; waits for {blockers}")
        time.sleep(0.002)
