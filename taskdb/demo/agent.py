"""One agent of the demo, a process of its own: claim, work, complete and claim the next one.

It is what a service's worker looks like, less the work: that is a pause, with a heartbeat
whenever a third of the lease has gone by.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from psycopg.conninfo import make_conninfo

from taskdb.database import Database
from taskdb.errors import ClaimLostError
from taskdb.models.claims import Claim
from taskdb.queries import claims
from taskdb.queries.admin import demo

__all__ = ["Shift", "application_name", "run"]

IDLE_SECONDS: Final = 0.03


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
        """Return the job as the process's argument."""
        return json.dumps(asdict(self))


def application_name(agent: str) -> str:
    """Return the name that the sessions of *agent* have in pg_stat_activity."""
    return f"taskdb demo {agent}"


def run(job: Shift) -> int:
    """Work until nothing is left for this crew, or whoever started it is gone.

    Returns how many tasks it completed. A claim that was lost to another agent is dropped.
    """
    completed = 0
    parent = os.getppid()
    pace = random.Random(job.name)
    url = make_conninfo(job.url, application_name=application_name(job.name))
    with Database(url, workspace=job.workspace, pool_min=1, pool_max=1) as database:
        claim: Claim | None = None
        while os.getppid() == parent:
            claim = claim or _claim(database, job)
            if claim is not None:
                seconds = pace.uniform(0.5, 1.5) * job.work_seconds
                try:
                    _work(database, job, claim, seconds)
                    claim = _complete(database, job, claim)
                    completed += 1
                except ClaimLostError:
                    claim = None
            elif database.retrying(lambda conn: demo.work_is_left(conn, agents=list(job.crew))):
                time.sleep(IDLE_SECONDS)
            else:
                break
    return completed


def _claim(database: Database, job: Shift) -> Claim | None:
    return database.retrying(lambda conn: claims.claim_next(conn, agent=job.name, lease=job.lease))


def _complete(database: Database, job: Shift, claim: Claim) -> Claim | None:
    """Complete the task of *claim*, and return the claim of the next one."""
    done = database.retrying(
        lambda conn: claims.complete_and_claim_next(
            conn, task_id=claim.task_id, token=claim.token, agent=job.name, lease=job.lease
        )
    )
    return done.claim


def _work(database: Database, job: Shift, claim: Claim, seconds: float) -> None:
    stretch = job.lease_seconds / 3
    while seconds > stretch:
        time.sleep(stretch)
        seconds -= stretch
        database.retrying(
            lambda conn: claims.heartbeat(
                conn, task_id=claim.task_id, token=claim.token, lease=job.lease
            )
        )
    time.sleep(seconds)


if __name__ == "__main__":
    run(Shift(**json.loads(sys.argv[1])))
