"""Clocks for the tests marked `timing` and `large`: no other test compares one with a bar."""

from __future__ import annotations

import contextlib
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
