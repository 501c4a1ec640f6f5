"""Watching the agents at work, through the database, and killing one of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psycopg

from taskdb.demo.agent import application_name
from taskdb.demo.crew import Crew, Member
from taskdb.demo.display import Display, Snapshot
from taskdb.models.types import TaskStatus
from taskdb.queries import tasks
from taskdb.queries.admin import demo

__all__ = ["Standing", "watch"]

LOOK_SECONDS: Final = 0.08
CLOSED: Final = (TaskStatus.COMPLETED, TaskStatus.CANCELLED, TaskStatus.ARCHIVED)


@dataclass(frozen=True, slots=True)
class Standing:
    """Number of tasks of each status."""

    counts: Mapping[TaskStatus, int]

    @classmethod
    def read(cls, conn: psycopg.Connection) -> Standing:
        """Count the tasks as they stand now."""
        return cls({row.status: row.task_count for row in tasks.count_by_status(conn)})

    @property
    def closed(self) -> int:
        """Number of tasks that are completed, given up or put away."""
        return sum(self.counts.get(status, 0) for status in CLOSED)

    @property
    def open(self) -> int:
        """Number of tasks that are not closed."""
        return sum(self.counts.values()) - self.closed


def watch(conn: psycopg.Connection, crew: Crew, screen: Display, start: Standing) -> None:
    """Show how the crew gets on until all have ended; kill one when a third is done.

    Raises `TaskdbError` if one ends in failure.
    """
    killed: Member | None = None
    while True:
        # First this, so that the last snapshot is taken after the last agent's end.
        at_work = crew.at_work
        standing = Standing.read(conn)
        done = standing.closed - start.closed
        screen.show(_snapshot(conn, crew, start, standing, done))
        crew.check()
        if not at_work:
            return
        if killed is None and done >= start.open // 3:
            killed = crew.kill_one_at_work(lambda agent: _in_hand(conn, agent))
            if killed is not None:
                screen.report(
                    f"{killed.name} is killed (SIGKILL) in the middle of {killed.killed_at}; "
                    f"its lease lapses within {killed.job.lease_seconds:g} s"
                )
        time.sleep(LOOK_SECONDS)


def _in_hand(conn: psycopg.Connection, agent: str) -> str | None:
    return demo.claim_in_hand(conn, agent=agent, application_name=application_name(agent))


def _snapshot(
    conn: psycopg.Connection, crew: Crew, start: Standing, standing: Standing, done: int
) -> Snapshot:
    names = [member.name for member in crew.members]
    return Snapshot(
        open_at_start=start.open,
        done=done,
        counts=standing.counts,
        agents=demo.agents_at_work(conn, agents=names),
        killed={member.name: member.killed_at for member in crew.members if member.killed_at},
    )
