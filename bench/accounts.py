"""Accounts of a run: jobs, processor time, WAL, transactions.

Processor time is what the kernel's scheduler counted for each thread, in nanoseconds
(`/proc/PID/task/TID/schedstat`); so this needs Linux. Two samples are taken while everybody is at
work, so that neither starting nor stopping counts. WAL is read back record by record
(`pg_walinspect`), to leave out the images of whole pages.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import query
from taskdb.database import Connection
from taskdb.query import Query

PROCESSES: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    is_client: bool


@query
def server_processes() -> list[Process]: ...


@query
def wal_position() -> str: ...


@query
def wal_bytes(*, since: str, until: str) -> float: ...


@query
def flush_statistics() -> None: ...


@query
def count_transactions() -> int: ...


@query
def inspect_wal() -> None: ...


@query
def checkpoint() -> None: ...


@query
def vacuum_all() -> None: ...


@query
def lift_timeout() -> None: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment of a run. Processor times are nanoseconds, by thread."""

    seconds: float
    jobs: int
    position: str
    backends: Mapping[int, int]
    server: Mapping[int, int]
    clients: Mapping[int, int]
    own: int
    machine: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a run, per job where not said otherwise.

    *foreign* is how many processors others on the machine had meanwhile: where it is much above
    0.1 the run is disturbed.
    """

    rate: float
    client_us: float
    server_us: float
    wal: float
    transactions: float
    foreign: float


def nanoseconds(pid: int) -> dict[int, int]:
    """Return the processor time of each thread of a process so far; none if it has ended."""
    spent: dict[int, int] = {}
    try:
        for thread in (PROCESSES / str(pid) / "task").iterdir():
            spent[int(thread.name)] = int((thread / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return spent


def settled(pid: int) -> int:
    """Return the processor time of a process of one thread once it sleeps, in nanoseconds.

    The scheduler accounts for a thread when it stops running.
    """
    status = PROCESSES / str(pid) / "stat"
    while status.read_text().rpartition(")")[2].split()[0] != "S":
        time.sleep(0)
    return nanoseconds(pid)[pid]


def sample(conn: Connection, jobs: Query[[], int], clients: Sequence[int]) -> Sample:
    """Take a sample; *clients* are process ids, *jobs* counts what is done."""
    backends: dict[int, int] = {}
    server: dict[int, int] = {}
    for process in server_processes(conn):
        spent = nanoseconds(process.pid)
        server |= spent
        if process.is_client:
            backends |= spent
    return Sample(
        seconds=time.monotonic(),
        position=wal_position(conn),
        backends=backends,
        server=server,
        clients={thread: ns for pid in clients for thread, ns in nanoseconds(pid).items()},
        own=time.process_time_ns(),
        machine=_machine(),
        jobs=jobs(conn),
    )


def transactions(conn: Connection) -> int:
    """Return how many transactions have ended in the database, this session's among them."""
    flush_statistics(conn)
    return count_transactions(conn)


def _machine() -> int:
    """Return how long all processors were busy, in nanoseconds: all but idle and iowait."""
    first = (PROCESSES / "stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, *rest = (int(ticks) for ticks in first[1:9])
    return (user + nice + system + sum(rest)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def spent(before: Mapping[int, int], after: Mapping[int, int]) -> int:
    """Return the nanoseconds between two samples."""
    return sum(ns - before.get(thread, 0) for thread, ns in after.items())


def figures(before: Sample, after: Sample, *, wal: float, per_job: float) -> Figures:
    """Return what lies between two samples; *per_job* is the number of transactions."""
    jobs = after.jobs - before.jobs
    seconds = after.seconds - before.seconds
    clients = spent(before.clients, after.clients)
    known = spent(before.server, after.server) + clients + after.own - before.own
    return Figures(
        rate=jobs / seconds,
        client_us=clients / jobs / 1e3,
        server_us=spent(before.backends, after.backends) / jobs / 1e3,
        wal=wal / jobs,
        transactions=per_job,
        foreign=max(0.0, (after.machine - before.machine - known) / seconds / 1e9),
    )
