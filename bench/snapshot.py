"""A held snapshot: one reader keeps a REPEATABLE READ snapshot open while four workers work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from psycopg import IsolationLevel

from bench import WORKSPACE, Table, connected
from bench.accounts import checkpoint, lift_timeout, vacuum_all
from bench.claiming import Subject, contestants_of, empty_tasks, tasks_done
from bench.contest import run
from bench.crews import workers
from bench.features import fill_mixed
from taskdb.database import Connection, connect

WORKERS: Final = 4
CLEAN_SECONDS: Final = 10.0
LAST_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Held:
    """Jobs per second: before the snapshot, and in each window while it is held."""

    contestant: str
    clean: float
    window_seconds: float
    windows: list[float]

    @property
    def last(self) -> float:
        """The rate of the last 10 s, or of what there is."""
        count = max(1, round(LAST_SECONDS / self.window_seconds))
        windows = self.windows[-count:]
        return sum(windows) / len(windows)

    @property
    def ratio(self) -> float:
        """The last 10 s over the clean rate."""
        return self.last / self.clean


def measure(subject: Subject, way: str, *, seconds: float, clean: float = CLEAN_SECONDS) -> Held:
    """Let four workers work, then hold a snapshot for *seconds* while they go on."""
    [contestant] = contestants_of(subject, [way])
    found, _ = run(contestant, WORKERS, 2, 20_000)
    jobs = int(found.rate * 1.6 * (clean + seconds + 5)) + 5000
    window = min(5.0, seconds / 2)
    with connected(subject.url) as conn, _reader(subject.url) as reader:
        lift_timeout(conn)
        empty_tasks(conn)
        fill_mixed(conn, jobs=jobs)
        vacuum_all(conn)
        checkpoint(conn)
        crew = workers(subject.url, way, python=subject.python)(WORKERS)
        crew.go(clean + seconds + 5)
        time.sleep(1)
        before = _rates(conn, clean - 1, 1)[0]
        reader.isolation_level = IsolationLevel.REPEATABLE_READ
        tasks_done(reader)
        windows = _rates(conn, window, round(seconds / window))
        reader.rollback()
        if jobs - tasks_done(conn) < 1000:
            raise RuntimeError("The queue ran empty while the snapshot was held")
        crew.wait()
    return Held(subject.label(way), before, window, windows)


def _reader(url: str) -> Connection:
    return connect(url, workspace=WORKSPACE)


def _rates(conn: Connection, window: float, count: int) -> list[float]:
    """Return the rates of *count* consecutive windows."""
    rates: list[float] = []
    jobs, at = tasks_done(conn), time.monotonic()
    end = at
    for _ in range(count):
        end += window
        time.sleep(max(0.0, end - time.monotonic()))
        now_jobs, now = tasks_done(conn), time.monotonic()
        rates.append((now_jobs - jobs) / (now - at))
        jobs, at = now_jobs, now
    return rates


def table(held: list[Held], show: Callable[[float], str] = "{:.0f}".format) -> Table:
    """Return the windows side by side."""
    windows = held[0].windows
    step = held[0].window_seconds
    spans = [f"to {step * (n + 1):g} s" for n in range(len(windows))]
    return Table(
        "A snapshot held, jobs per second of four workers",
        ("way", "before", *spans, "last 10 s over before"),
        [
            (one.contestant, show(one.clean), *map(show, one.windows), f"{one.ratio:.2f}")
            for one in held
        ],
    )
