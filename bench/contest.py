"""One run of a contestant, and many, taken in turns.

A run: a checkpoint, a full queue, vacuum and analyze; the workers start; once they have worked
for a moment, a sample is taken, and another one after some seconds (`bench.accounts`). A run in
which the queue ran empty does not count: it is repeated with a longer queue.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from bench import Table, connected
from bench.accounts import (
    Figures,
    Sample,
    checkpoint,
    figures,
    inspect_wal,
    sample,
    server_processes,
    transactions,
    vacuum_all,
    wal_bytes,
)
from bench.crews import Crew
from taskdb.query import Query

WARM_SECONDS: Final = 0.4
SPARE_SECONDS: Final = 0.3
# Processors in use by others up to this number are no disturbance.
CALM: Final = 0.2


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to work jobs off.

    *refill* leaves n ready jobs and nothing else, *start* starts n workers, *done*
    counts completed jobs. *expected* is a guess of its jobs per second: how long a queue to make
    at first.
    """

    name: str
    does: str
    url: str
    refill: Callable[[str, int], None]
    start: Callable[[int], Crew]
    done: Query[[], int]
    expected: int


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of one contestant's rounds, with the slowest and the fastest."""

    contestant: str
    workers: int
    slowest: float
    fastest: float
    median: Figures


def run(contestant: Contestant, workers: int, seconds: float, jobs: int) -> tuple[Figures, bool]:
    """Run once; return the figures, and whether the queue was long enough."""
    with connected(contestant.url) as conn:
        inspect_wal(conn)
        checkpoint(conn)
        contestant.refill(contestant.url, jobs)
        vacuum_all(conn)
        at_start, done_at_start = transactions(conn), contestant.done(conn)
        crew = contestant.start(workers)
        pids = crew.go(WARM_SECONDS + seconds + SPARE_SECONDS)
        time.sleep(WARM_SECONDS)
        before = sample(conn, contestant.done, pids)
        time.sleep(seconds)
        after = sample(conn, contestant.done, pids)
        crew.wait()
        while any(process.is_client for process in server_processes(conn)):
            time.sleep(0.01)  # A backend reports its transactions when it ends.
        done = contestant.done(conn) - done_at_start
        count = transactions(conn) - at_start
        wal = wal_bytes(conn, since=before.position, until=after.position)
    if after.jobs - before.jobs == 0:
        raise RuntimeError(f"{contestant.name} completed no job in {seconds:g} s")
    return figures(before, after, wal=wal, per_job=count / done), not _is_empty(after, jobs)


def _is_empty(after: Sample, jobs: int) -> bool:
    # The last jobs are in the workers' hands: up to a batch of 100 each.
    return jobs - after.jobs <= 500


def contest(
    contestants: Sequence[Contestant],
    *,
    workers: int,
    seconds: float,
    rounds: int,
    tries: int = 1,
    said: Callable[[str], None] = lambda line: None,
) -> list[Result]:
    """Let all contestants run in turns, as often as *rounds* says; return the medians.

    A run that others on the machine disturbed is tried again, up to *tries* times in all; the
    calmest counts.
    """
    lengths = {c.name: _length(c.expected, seconds) for c in contestants}
    found: dict[str, list[Figures]] = {c.name: [] for c in contestants}
    for number in range(rounds):
        for contestant in contestants:
            got = _calmest(contestant, workers, seconds, lengths, tries)
            lengths[contestant.name] = _length(got.rate, seconds)
            found[contestant.name].append(got)
            said(f"{number + 1}/{rounds} {contestant.name}, {workers} w: {got.rate:.0f}/s")
    return [_result(name, workers, runs) for name, runs in found.items()]


def _calmest(
    contestant: Contestant, workers: int, seconds: float, lengths: dict[str, int], tries: int
) -> Figures:
    """Run until nobody disturbs, or the tries are used up; keep the queue long enough."""
    best: Figures | None = None
    while tries > 0 and (best is None or best.foreign > CALM):
        got, long_enough = run(contestant, workers, seconds, lengths[contestant.name])
        if not long_enough:
            lengths[contestant.name] *= 2
            continue
        tries -= 1
        if best is None or got.foreign < best.foreign:
            best = got
    assert best is not None
    return best


def _length(rate: float, seconds: float) -> int:
    return int(rate * 1.4 * (WARM_SECONDS + seconds + SPARE_SECONDS)) + 1000


def _result(name: str, workers: int, runs: Sequence[Figures]) -> Result:
    rates = [figures.rate for figures in runs]
    values = [asdict(figures) for figures in runs]
    median = Figures(**{key: statistics.median(row[key] for row in values) for key in values[0]})
    return Result(name, workers, min(rates), max(rates), median)


def table(title: str, results: Sequence[Result], to: str) -> Table:
    """Return the results as a table, with ratios to the contestant named *to*."""
    base = next(result.median for result in results if result.contestant == to)
    return Table(
        title,
        (
            "way",
            "jobs/s, median (min-max)",
            "ratio",
            "client us",
            "server us",
            "ratio",
            "WAL bytes",
            "transactions",
            "foreign",
        ),
        [
            (
                result.contestant,
                f"{result.median.rate:.0f} ({result.slowest:.0f}-{result.fastest:.0f})",
                f"{result.median.rate / base.rate:.2f}",
                f"{result.median.client_us:.0f}",
                f"{result.median.server_us:.0f}",
                f"{result.median.server_us / base.server_us:.2f}",
                f"{result.median.wal:.0f}",
                f"{result.median.transactions:.2f}",
                f"{result.median.foreign:.2f}",
            )
            for result in results
        ],
    )
