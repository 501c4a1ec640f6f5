"""An arena for races: two sessions, at two isolation levels, one of which commits first."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from psycopg import IsolationLevel
from psycopg.errors import SerializationFailure

from taskdb.admin import doctor
from taskdb.database import connect
from tests.interleave import Session, Step
from tests.waiting import PATIENCE

Connection = psycopg.Connection[Any]


class Contest(Protocol):
    """A race: *first* commits; *second* waits for it, or began before it committed."""

    @property
    def first(self) -> Callable[[Connection, Any], Any]: ...
    @property
    def second(self) -> Callable[[Connection, Any], Any]: ...
    @property
    def loser(self) -> type[Exception] | tuple[type[Exception], ...] | None:
        """The error of the second session in the end; None: it succeeds."""

    def begin(self, conn: Connection) -> Any:
        """Make what is there before; return what both sessions know of it."""

    def holds(self, conn: Connection, given: Any) -> bool:
        """Return whether the promise holds in the end."""


@dataclass(frozen=True)
class Outcome:
    waited: bool
    error: BaseException | None
    holds: bool
    findings: list[doctor.Finding]

    def broke(self, race: Contest) -> bool:
        """Return whether anything is wrong: a promise, the end, or the second session's answer."""
        told = self.error is None if race.loser is None else isinstance(self.error, race.loser)
        return bool(self.findings) or not self.holds or not told


class Arena:
    """A database and its sessions: of each level one that goes first and one that comes second."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.url = url
        self.conn = stack.enter_context(connect(url, autocommit=True))
        self._stack = stack
        self._sessions: dict[tuple[str, IsolationLevel], Session] = {}

    def session(self, name: str, level: IsolationLevel) -> Session:
        if (name, level) not in self._sessions:
            session = Session(self.url, isolation=level, name=f"{name} ({level.name})")
            self._sessions[name, level] = self._stack.enter_context(session)
        return self._sessions[name, level]

    def run(
        self, race: Contest, first: IsolationLevel, second: IsolationLevel, *, waiting: bool
    ) -> Outcome:
        """Run one interleaving to its end, and tell how it ended."""
        self.clear()
        given = race.begin(self.conn)
        a, b = self.session("first", first), self.session("second", second)
        try:
            waited = self._interleave(race, given, a, b, waiting=waiting)
            error = self._end(race, given, b)
        finally:
            a.rollback()
            b.rollback()
        return Outcome(waited, error, race.holds(self.conn, given), doctor.run(self.conn))

    def _interleave(
        self, race: Contest, given: Any, a: Session, b: Session, *, waiting: bool
    ) -> bool:
        if waiting:
            a.run("acts", lambda conn: race.first(conn, given))
            step = b.start("acts", lambda conn: race.second(conn, given))
            waited = is_blocked(b, step)
            a.commit()
        else:
            b.snapshot()
            a.run("acts", lambda conn: race.first(conn, given))
            a.commit()
            b.start("acts", lambda conn: race.second(conn, given))
            waited = False
        return waited

    def _end(self, race: Contest, given: Any, b: Session) -> BaseException | None:
        error = b.last.error()
        if error is None:
            error = b.start("commits", lambda conn: conn.commit()).error()
        if not isinstance(error, SerializationFailure):
            return error
        b.rollback()
        error = b.start("tries again", lambda conn: race.second(conn, given)).error()
        return error or b.start("commits", lambda conn: conn.commit()).error()

    def clear(self) -> None:
        """Begin again, whatever a test that failed has left open."""
        for session in self._sessions.values():
            session.rollback()
        for table in ("claim_pauses", "tasks", "workflows"):
            self.conn.execute(f"delete from {table}".encode())


def is_blocked(session: Session, step: Step[Any]) -> bool:
    """Wait until the session's step either waits for a lock or is done; tell which."""
    deadline = time.monotonic() + PATIENCE
    while not step.done:
        if session.blockers():
            return True
        assert time.monotonic() < deadline, f"{step.name} neither waits nor ends"
        time.sleep(0.001)
    return False
