"""Bars for the figures. The long form prints each bar; the short form asserts its floor.

All are ratios of figures of one run. A *goal* is what a quiet machine must show, a *floor* what
even a busy one does: only a large regression falls below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from bench import Table
from bench.claiming import CEILING, PLAIN

Figures: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio that must be *at_least* or at most its goal.

    *of* computes it from the figures of one taskdb and those of the others; where what it needs
    was not measured it raises KeyError.
    """

    name: str
    of: Callable[[Figures, Figures], float]
    goal: float
    floor: float
    at_least: bool = True

    def holds(self, value: float, bound: float) -> bool:
        """Return whether a value keeps within a bound."""
        return value >= bound if self.at_least else value <= bound


def _claiming(figure: str, way: str, other: str) -> Callable[[Figures, Figures], float]:
    def of(ours: Figures, others: Figures) -> float:
        found = [figures["claiming"]["4 workers"] for figures in (ours, others)]
        return float(found[0][way][figure] / found[1][other][figure])

    return of


def _wal(ours: Figures, others: Figures) -> float:
    return float(ours["claiming"]["4 workers"]["one by one"]["wal"] / 1000)


def _snapshot(ours: Figures, others: Figures) -> float:
    return float(ours["snapshot"]["one by one, behind the last"]["ratio"])


def _grown(call: str) -> Callable[[Figures, Figures], float]:
    def of(ours: Figures, others: Figures) -> float:
        small, *_, large = ours["scale"].values()
        return float(large[call] / small[call])

    return of


def _bare(call: str, bare: str) -> Callable[[Figures, Figures], float]:
    def of(ours: Figures, others: Figures) -> float:
        small = next(iter(ours["scale"].values()))
        return float(small[call] / small[bare])

    return of


def _load(ours: Figures, others: Figures) -> float:
    *_, largest = ours["bulk"]["load"].values()
    return float(largest["speed over COPY"])


def _blockers(ours: Figures, others: Figures) -> float:
    return float(ours["bulk"]["four times the blockers"])


ONE, CHAIN, BATCH = "one by one", "chained", "batches of 100"
BARE_EDGE = "bare insert of an edge"
PROCRASTINATE, PGQUEUER = "procrastinate", "pgqueuer, batch size 1"

BARS: Final = [
    Bar("server CPU, x plain SQL", _claiming("server_us", ONE, PLAIN), 2.5, 7, at_least=False),
    Bar("WAL per job, kB", _wal, 2.0, 3, at_least=False),
    Bar("rate, of pgbench's ceiling", _claiming("rate", ONE, CEILING), 0.40, 0.12),
    Bar("rate chained, of pgbench's ceiling", _claiming("rate", CHAIN, CEILING), 0.55, 0.17),
    Bar("rate, x procrastinate", _claiming("rate", ONE, PROCRASTINATE), 1.5, 0.2),
    Bar("rate chained, x procrastinate", _claiming("rate", CHAIN, PROCRASTINATE), 2.0, 0.25),
    Bar("rate chained, x pgqueuer", _claiming("rate", CHAIN, PGQUEUER), 2.2, 0.3),
    Bar("batches, x pgqueuer", _claiming("rate", BATCH, "pgqueuer, batches of 100"), 1.15, 0.07),
    Bar("snapshot held, last 10 s of clean", _snapshot, 0.8, 0.25),
    Bar("claim, large over small plan", _grown("claim"), 1.5, 4, at_least=False),
    Bar("new edge, large over small", _grown("new edge"), 1.5, 4, at_least=False),
    Bar("completion, large over small", _grown("completion"), 1.5, 4, at_least=False),
    Bar("key read, large over small", _grown("get by key"), 2, 4, at_least=False),
    Bar(
        "new edge, x bare insert",
        _bare("new edge", "bare insert of an edge"),
        3,
        15,
        at_least=False,
    ),
    Bar("bulk load, speed over COPY", _load, 0.25, 0.05),
    Bar("four times the blockers", _blockers, 5, 12, at_least=False),
]


def values(ours: Figures, others: Figures) -> Iterator[tuple[Bar, float]]:
    """Return the bars of which everything was measured."""
    for bar in BARS:
        try:
            yield bar, bar.of(ours, others)
        except KeyError:
            continue


def table(name: str, ours: Figures, others: Figures) -> Table:
    """Return each bar with what was found of the taskdb of that name."""
    rows = [
        (
            bar.name,
            f"{'at least' if bar.at_least else 'at most'} {bar.goal:g}",
            f"{value:.2f}",
            "met" if bar.holds(value, bar.goal) else "missed",
        )
        for bar, value in values(ours, others)
    ]
    return Table(f"Bars, {name}", ("ratio", "goal", "found", "is"), rows)


def below_floor(ours: Figures, others: Figures) -> list[str]:
    """Return what does not keep even within its floor."""
    return [
        f"{bar.name}: {value:.3f}, {'at least' if bar.at_least else 'at most'} {bar.floor:g}"
        for bar, value in values(ours, others)
        if not bar.holds(value, bar.floor)
    ]
