"""Making the demo's workspace, and letting the agents loose on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.errors import LockNotAvailable
from rich.console import Console

from taskdb import database, migrations
from taskdb.database import workspaces
from taskdb.demo import WORKSPACE, screens
from taskdb.demo.agent import Shift
from taskdb.demo.crew import Crew
from taskdb.demo.summary import Summary, summarise
from taskdb.demo.watch import Standing, watch
from taskdb.errors import DatabaseError
from taskdb.queries.admin import demo

__all__ = ["CREW", "Pace", "prepare", "reserve", "work_off"]

LOCK_TIMEOUT: Final = "3s"
CREW: Final = ("agent-1", "agent-2", "agent-3", "agent-4")


@dataclass(frozen=True, slots=True)
class Pace:
    """Pace of the agents: `total` spread over the tasks, a task within its bounds."""

    total: timedelta = timedelta(seconds=16)
    shortest: timedelta = timedelta(milliseconds=2)
    longest: timedelta = timedelta(milliseconds=150)
    lease: timedelta = timedelta(seconds=1.5)

    def seconds_a_task(self, tasks: int) -> float:
        """Return a task's average duration in a plan of *tasks* tasks."""
        share = self.total / max(tasks, 1)
        return max(self.shortest, min(self.longest, share)).total_seconds()


def prepare(url: str, show: Callable[[str], None]) -> bool:
    """Create the workspace again, empty and up to date; return whether there was one before.

    The caller has `reserve`d the demo. Raises `DatabaseError` if another session works in it.
    """
    patient = make_conninfo(url, options=f"-c lock_timeout={LOCK_TIMEOUT}")
    try:
        with database.connect(patient, workspace=WORKSPACE) as conn:
            dropped = workspaces.drop(conn, WORKSPACE)
    except LockNotAvailable as refused:
        raise DatabaseError(
            f"A session has a transaction open in workspace {WORKSPACE}",
            hint="End it (a psql somewhere?), then try again",
        ) from refused
    migrations.up(url, workspace=WORKSPACE, show=show)
    return dropped


def reserve(conn: psycopg.Connection) -> None:
    """Make *conn* the one session that runs a demo on this server, until it is closed."""
    if not demo.reserve_demo(conn):
        raise DatabaseError(
            "Another demo is running on this server", hint="Let it end, then try again"
        )


def work_off(url: str, *, console: Console, pace: Pace | None = None) -> Summary:
    """Let four agents work off everything open in the workspace; one is killed on the way.

    Raises `TaskdbError` if an agent ends in failure. How the result keeps the rules is in the
    summary.
    """
    pace = pace or Pace()
    with database.connect(url, workspace=WORKSPACE, autocommit=True) as conn:
        began = time.monotonic()
        start = Standing.read(conn)
        lease, work = pace.lease.total_seconds(), pace.seconds_a_task(start.open)
        jobs = [Shift(url, WORKSPACE, name, CREW, lease, work) for name in CREW]
        with Crew(jobs) as crew:
            with screens.for_console(console) as screen:
                watch(conn, crew, screen, start)
            elapsed = timedelta(seconds=time.monotonic() - began)
            return summarise(conn, crew.members, start, elapsed)
