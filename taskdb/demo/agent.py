"""One agent of the demo, a process of its own: a worker as a service has one.

All that is missing is the work: a pause takes its place.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from psycopg.conninfo import make_conninfo

from taskdb.database import AsyncDatabase
from taskdb.errors import TaskdbError
from taskdb.queries.admin import demo
from taskdb.worker import Job, Retry, Worker

__all__ = ["Shift", "application_name", "run"]

# A claim that lapsed wakes nobody.
POLL: Final = timedelta(seconds=0.2)


@dataclass(frozen=True, slots=True)
class Shift:
    """Instructions for an agent: database, name, pace. `crew` names all the agents."""

    url: str
    workspace: str
    name: str
    crew: Sequence[str]
    lease_seconds: float
    work_seconds: float

    @property
    def lease(self) -> timedelta:
        """Time until a claim without a heartbeat lapses."""
        return timedelta(seconds=self.lease_seconds)

    def as_json(self) -> str:
        """Return the shift as the process's argument."""
        return json.dumps(asdict(self))


def application_name(agent: str) -> str:
    """Return the name that the sessions of *agent* have in pg_stat_activity."""
    return f"taskdb demo {agent}"


def run(shift: Shift) -> int:
    """Work until nothing is left for this crew, or whoever started it is gone.

    Returns how many tasks it completed.
    """
    return asyncio.run(_run(shift))


async def _run(shift: Shift) -> int:
    completed = 0
    parent = os.getppid()
    pace = random.Random(shift.name)

    async def work(job: Job) -> None:
        if os.getppid() != parent:
            worker.stop()
            raise Retry(note="the demo is over")
        await asyncio.sleep(pace.uniform(0.5, 1.5) * shift.work_seconds)

    async def end_if_nothing_is_left(worker: Worker) -> None:
        left = await database.retrying(
            lambda conn: demo.work_is_left(conn, agents=list(shift.crew))
        )
        if not left or os.getppid() != parent:
            worker.stop()

    def count(job: Job, how: str) -> None:
        nonlocal completed
        completed += how == "completed"

    url = make_conninfo(shift.url, application_name=application_name(shift.name))
    async with AsyncDatabase(url, workspace=shift.workspace, pool_min=1, pool_max=1) as database:
        worker = Worker(
            database,
            work,
            agent=shift.name,
            lease=shift.lease,
            poll=POLL,
            on_end=count,
            on_idle=end_if_nothing_is_left,
        )
        await worker.run()
    return completed


if __name__ == "__main__":
    try:
        run(Shift(**json.loads(sys.argv[1])))
    except TaskdbError as exc:
        sys.exit(str(exc))
