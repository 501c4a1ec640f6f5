"""Options of `python -m bench`: the measurements, and their length."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import claiming, results

SECTIONS: Final = ("reading", "claiming", "features", "snapshot", "scale", "bulk")
GIVEN: Final = (
    "sections",
    "seconds",
    "rounds",
    "tries",
    "sizes",
    "snapshot_seconds",
    "bulk_seconds",
)


@dataclass
class Asked:
    """Measurements asked for, and their length."""

    own: bool = False
    sections: Sequence[str] = SECTIONS
    seconds: float = 2
    rounds: int = 3
    tries: int = 1
    workers: Sequence[int] = (1, 4)
    sizes: Sequence[int] = (1_000, 1_000_000)
    snapshot_seconds: float = 60
    clean_seconds: float = 10
    bulk_seconds: float = 600
    blockers: int = 1_000
    ways: Sequence[str] = tuple(claiming.WAYS)
    only_bars: bool = False
    also: Sequence[tuple[str, str]] = ()
    results: results.Results = field(default_factory=results.Results)


# In under a minute on two idle processors, with nothing but what `make setup` installs.
SHORT: Final = Asked(
    own=True,
    sections=("claiming", "features", "scale", "bulk"),
    seconds=0.5,
    rounds=2,
    workers=(4,),
    sizes=(1_000, 5_000),
    bulk_seconds=5,
    blockers=250,
    ways=("one", "chain", "batch"),
    only_bars=True,
)


def asked_by(given: argparse.Namespace) -> Asked:
    """Return what the command line asks for."""
    unknown = set(given.sections) - set(SECTIONS)
    if unknown:
        sys.exit(f"No such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    asked = SHORT if given.short else Asked()
    asked.own = given.own or asked.own
    asked.also = [tuple(pair.rsplit("=", 1)) for pair in given.also]
    for name in (
        "sections",
        "seconds",
        "rounds",
        "tries",
        "sizes",
        "snapshot_seconds",
        "bulk_seconds",
    ):
        if value := getattr(given, name):
            setattr(asked, name, value)
    return asked


def parser(about: str | None) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser("python -m bench", description=about)
    made.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)} (default: all)")
    made.add_argument("--own", action="store_true", help="only psycopg, taskdb and pgbench")
    made.add_argument("--short", action="store_true", help="a minute; fails below the floors")
    made.add_argument("--seconds", type=float, help="of a run (default: 2)")
    made.add_argument("--rounds", type=int, help="the medians of so many (default: 3)")
    made.add_argument(
        "--tries", type=int, help="of a run that others disturb, the calmest counts (default: 1)"
    )
    made.add_argument("--sizes", type=int, nargs=2, help="of plans (1000 1000000)")
    made.add_argument("--snapshot-seconds", type=float, help="how long it is held (60)")
    made.add_argument("--bulk-seconds", type=float, help="no load longer than this (600)")
    made.add_argument("--also", action="append", default=[], metavar="PYTHON=NAME")
    made.add_argument("--json", type=Path, help="write the figures there")
    return made
