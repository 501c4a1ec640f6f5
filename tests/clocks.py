"""Clocks for the tests marked `timing` and `large`: no other test compares one with a bar."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg

# Figures of a document are held by this factor.
FACTOR: Final = 5


def median_ms(
    action: Callable[[], object],
    rounds: int = 5,
    around: Callable[[], Any] = contextlib.nullcontext,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the median milliseconds of *action* by *clock*; the first round is not counted."""
    taken: list[float] = []
    for _ in range(rounds + 1):
        with around():
            began = clock()
            action()
            taken.append((clock() - began) * 1000)
    return statistics.median(taken[1:])


def processor_clock(conn: psycopg.Connection[Any]) -> Callable[[], float]:
    """Return a clock of what the server's process of *conn* has run, in seconds.

    Where the process is not to be seen, in a container or elsewhere, it is the clock on the wall.
    """
    process = Path("/proc", str(conn.info.backend_pid))
    try:
        is_ours = process.joinpath("cmdline").read_bytes().startswith(b"postgres:")
    except OSError:
        is_ours = False
    if not is_ours:
        return time.perf_counter
    return lambda: int(process.joinpath("schedstat").read_text().split()[0]) / 1e9


def server_clock(conn: psycopg.Connection[Any]) -> Callable[[], float]:
    """Return a clock of what the server of *conn* has run in all its processes, in seconds.

    Where they are not to be seen, it is the clock on the wall.
    """
    backend = Path("/proc", str(conn.info.backend_pid), "stat")
    try:
        postmaster = _fields(backend)[1]
    except OSError:
        return time.perf_counter
    children = Path("/proc", postmaster, "task", postmaster, "children")

    def clock() -> float:
        # Processes that have ended count with their parent.
        ticks = sum(int(each) for each in _fields(Path("/proc", postmaster, "stat"))[11:15])
        for child in children.read_text().split():
            with contextlib.suppress(FileNotFoundError):
                ticks += sum(int(each) for each in _fields(Path("/proc", child, "stat"))[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    return clock


def _fields(stat: Path) -> list[str]:
    """The fields of a process's `stat` behind its name: state, parent, ..., utime, stime."""
    return stat.read_text().rpartition(")")[2].split()
