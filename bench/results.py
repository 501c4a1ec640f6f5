"""Results as JSON, and two of them compared: `python -m bench compare OLD NEW`.

A file maps the taskdb measured (`taskdb`, or the name that `--also` gave), and `others`, to
sections, and these to figures. `compare old.json:old new.json` compares what one file says of the
taskdb called `old` with what the other says of `taskdb`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import Table
from bench.claiming import Subject
from bench.contest import Result
from bench.snapshot import Held

OTHERS = "others"


class Results:
    """The figures of one run of the bench."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def _of(self, subject: str, *path: str) -> dict[str, Any]:
        place = self.found
        for name in (subject, *path):
            place = place.setdefault(name, {})
        return place

    def add(self, section: str, subjects: Sequence[Subject], results: Sequence[Result]) -> None:
        """Add what a contest came to, under each contestant's taskdb."""
        names = [subject.name for subject in subjects]
        for result in results:
            first, _, rest = result.contestant.partition(", ")
            subject, name = (first, rest) if first in names else (OTHERS, result.contestant)
            place = self._of(subject, section, f"{result.workers} workers")
            spread = {"slowest": result.slowest, "fastest": result.fastest}
            place[name] = asdict(result.median) | spread

    def add_snapshot(self, subject: Subject, held: Held) -> None:
        """Add what a held snapshot did."""
        way = held.contestant.removeprefix(f"{subject.name}, ")
        figures = asdict(held) | {"last": held.last, "ratio": held.ratio}
        self._of(subject.name, "snapshot")[way] = figures

    def put(self, subject: Subject, section: str, figures: dict[str, Any]) -> None:
        """Add figures as they are."""
        self._of(subject.name, section).update(figures)

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(self.found, indent=1) + "\n")


def compare(old: str, new: str) -> Table:
    """Return what two files, or two taskdbs of files, have in common, with ratios."""
    before, after = dict(_read(old)), dict(_read(new))
    return Table(
        "New over old",
        ("figure", "old", "new", "ratio"),
        [
            (
                name,
                f"{before[name]:.6g}",
                f"{value:.6g}",
                f"{value / before[name]:.2f}" if before[name] else "-",
            )
            for name, value in after.items()
            if name in before
        ],
    )


def _read(place: str) -> Iterator[tuple[str, float]]:
    path, _, subject = place.partition(":")
    found: Mapping[str, Any] = json.loads(Path(path).read_text())
    yield from _flat((), found[subject or "taskdb"])


def _flat(path: tuple[str, ...], figures: Any) -> Iterator[tuple[str, float]]:
    if isinstance(figures, Mapping):
        for name, value in figures.items():
            yield from _flat((*path, name), value)
    elif isinstance(figures, int | float):
        yield " / ".join(path), float(figures)
