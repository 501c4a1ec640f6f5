"""Programs run and judged until the time is over, and a finding made short."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from taskdb.database import connect
from tests.soak.judge import examine, judge
from tests.soak.program import Program, random_program
from tests.soak.run import Place, patiently, run
from tests.soak.shrinking import shrink

# A shorter program counts as failing if one of this number of runs does: chance has its part in it.
RUNS = 6
SHRINK_SECONDS = 60.0
# The doctor takes longer than a program: it comes after each tenth.
EXAMINED = 10


@dataclass
class Result:
    """Result of a soak, and the first finding with its program."""

    seed: int
    programs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    finding: str | None = None

    def __str__(self) -> str:
        calls = sum(self.counts.values())
        lines = [f"seed {self.seed}: {self.programs} programs, {calls} calls"]
        lines += [f"  {name} {count}" for name, count in sorted(self.counts.items())]
        # The finding comes last, for logs that keep the end of a long program.
        return "\n".join([*lines, self.finding or "no findings"])


def soak(place: Place, *, seed: int, seconds: float, shrinking: bool = True) -> Result:
    """Run programs for *seconds*, the same for the same *seed*; end at the first finding."""
    result = Result(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        program = random_program(random.Random(f"{seed}/{result.programs}"))
        asked = result.programs % EXAMINED == 0
        found = findings(place, program, result.counts, with_doctor=asked)
        result.programs += 1
        if found:
            shortest = _shorten(place, program) if shrinking else program
            shown = "\n".join(found[:10])
            result.finding = f"{shortest}\nFINDING in program {result.programs}\n{shown}"
            break
    return result


def findings(
    place: Place, program: Program, counts: Counter[str], *, with_doctor: bool = True
) -> list[str]:
    """Run *program* once and judge it; add its calls, by name and end, to *counts*."""
    world = run(place, program)
    for attempt in world.log:
        end = "kept" if attempt.kept else "unknown" if attempt.kept is None else "not kept"
        for event in attempt.events:
            counts[f"{event.op.name}, {end}"] += 1
    found: list[str] = []

    def look() -> None:
        with connect(place.url) as conn:
            found[:] = judge(conn, program, world, disturbed=place.disturb is not None)
            if with_doctor:
                found.extend(examine(conn))

    patiently(look)
    return found


def _shorten(place: Place, program: Program) -> Program:
    end = time.monotonic() + SHRINK_SECONDS

    def fails(parts: list[tuple[int, int, int]]) -> bool:
        shorter = program.only(parts)
        return bool(shorter.clients) and any(
            time.monotonic() < end and findings(place, shorter, Counter()) for _ in range(RUNS)
        )

    return program.only(shrink(program.parts(), fails))
