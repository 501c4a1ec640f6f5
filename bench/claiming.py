"""Claiming: jobs that do nothing, claimed and completed by one worker or several.

A worker is a process of its own with its own connection. The contestants: pgbench and psycopg with
the same in plain SQL, taskdb, the taskdb of other checkouts, and other queues with their own
workers.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from bench import WORKSPACE, connected, named, query
from bench.accounts import lift_timeout
from bench.contest import Contestant
from bench.crews import Clients, Crew, command, workers
from bench.jobs import finish, finish_and_lease, finish_many, lease, lease_many
from bench.pgbench import Pgbench
from taskdb.database import connect
from taskdb.database.databases import create_database
from taskdb.query import Query

CEILING: Final = "pgbench, two commits"
PLAIN: Final = "psycopg, plain SQL"
NOBODY: Final = "00000000-0000-0000-0000-000000000000"


@query
def empty_tasks() -> None: ...


@query
def fill_tasks(*, jobs: int) -> int: ...


@query
def tasks_done() -> int: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """A taskdb that is measured: its name, its interpreter, its database, what it can do."""

    name: str
    python: str
    url: str
    ways: Sequence[str]

    def label(self, way: str) -> str:
        """Return how the report names a way of this taskdb."""
        return f"{self.name}, {WAYS[way][0]}"


WAYS: Final = {
    "one": ("one by one", "`claim_next` and `complete`: 2 statements, 2 commits", 2500),
    "ahead": (
        "one by one, behind the last",
        "the same with `after=`, renewed each second",
        2500,
    ),
    "chain": ("chained", "`complete_and_claim_next`: 1 statement, 1 commit", 3500),
    "batch": ("batches of 100", "`claim_batch` and completion of 100: 2 commits for 100", 8000),
    "pool": ("through the pool", "as one by one, each through `Database.retrying`", 2000),
}


def database(url: str, name: str) -> str:
    """Create a database beside that of *url*; return its URL."""
    made = beside(url, name)
    with connect(url, autocommit=True) as conn:
        create_database(conn, urlsplit(made).path[1:])
    return made


def beside(url: str, name: str) -> str:
    """Return the URL of a database named after that of *url* and *name*."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path}_{name}").geturl()


def subject(url: str, name: str, python: str = sys.executable) -> Subject:
    """Set up a database by the taskdb of that interpreter."""
    made = database(url, name)
    migrate = [python, "-P", "-m", "taskdb", "migrate", "up", f"--workspace={WORKSPACE}"]
    _output([*migrate, f"--url={made}"])
    ways = _output(command(python, "bench.worker", "ways")).split()
    return Subject(name, python, made, [way for way in WAYS if way in ways])


def _output(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed: {done.stderr}{done.stdout}")
    return done.stdout


def refill(url: str, jobs: int) -> None:
    """Leave that many ready tasks and nothing else."""
    with connected(url) as conn:
        lift_timeout(conn)
        empty_tasks(conn)
        fill_tasks(conn, jobs=jobs)


def contestants_of(subject: Subject, ways: Sequence[str]) -> list[Contestant]:
    """Return those of the ways that one taskdb can do."""
    return [
        Contestant(
            subject.label(way),
            WAYS[way][1],
            subject.url,
            refill,
            workers(subject.url, way, python=subject.python),
            tasks_done,
            WAYS[way][2],
        )
        for way in subject.ways
        if way in ways
    ]


def baselines(url: str, binaries: Pgbench) -> list[Contestant]:
    """Return the contestants without taskdb; pgbench with two commits comes first."""
    from bench.jobs import jobs_done, prepare
    from bench.jobs import refill as refill_jobs

    prepare(url)
    agent = {"agent": "pgbench"}
    none = {**agent, "id": NOBODY, "token": "0"}
    two = f"{_aset(lease)}\n{named(finish)};"
    many = f"{named(lease_many)} \\gset\n{named(finish_many)};"
    ways = [
        (CEILING, "lease and completion in plain SQL", two, none, 10_000),
        ("pgbench, chained", "the two in one statement", _aset(finish_and_lease), none, 15_000),
        ("pgbench, batches of 100", "2 statements for 100", many, agent, 60_000),
    ]
    return [
        *(
            Contestant(
                name,
                does,
                url,
                refill_jobs,
                partial(_clients, binaries, script, values),
                jobs_done,
                expected,
            )
            for name, does, script, values, expected in ways
        ),
        Contestant(
            PLAIN,
            "the same two statements, two commits",
            url,
            refill_jobs,
            workers(url, "plain"),
            jobs_done,
            6_000,
        ),
    ]


def _aset(function: Query[..., Any]) -> str:
    """Return a line that leaves the variables as they are where there is no row."""
    return f"{named(function)} \\aset"


def _clients(binaries: Pgbench, script: str, values: dict[str, str], count: int) -> Crew:
    return Clients(binaries, script, values, count)


def others(url: str) -> list[Contestant]:
    """Return the other queues, through their own workers."""
    from bench import worker_others as other

    other.prepare(url)
    ways: list[tuple[str, str, str, Any, Any, int, int]] = [
        (
            "procrastinate",
            "procrastinate",
            "worker and events by trigger; 2 statements, 2 commits",
            other.refill_procrastinate,
            other.procrastinate_done,
            1,
            2000,
        ),
        (
            "pgqueuer, batch size 1",
            "pgqueuer",
            "heartbeat, log; finished jobs are deleted",
            other.refill_pgqueuer,
            other.pgqueuer_done,
            1,
            2000,
        ),
        (
            "pgqueuer, batches of 100",
            "pgqueuer",
            "the same, 100 at a time",
            other.refill_pgqueuer,
            other.pgqueuer_done,
            100,
            20_000,
        ),
        (
            "awa, 1 worker",
            "awa",
            "leases and receipts, append-only; 1 job at a time",
            other.refill_awa,
            other.awa_done,
            1,
            200,
        ),
        (
            "awa, 100 workers",
            "awa",
            "the same, up to 100 jobs at a time",
            other.refill_awa,
            other.awa_done,
            100,
            8000,
        ),
    ]
    return [
        Contestant(
            name,
            does,
            url,
            refill,
            workers(url, way, str(size), module="bench.worker_others"),
            done,
            expected,
        )
        for name, way, does, refill, done, size, expected in ways
    ]
