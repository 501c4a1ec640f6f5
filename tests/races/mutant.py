"""A guard taken out of a function of sql/, for the races that should miss it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SQL = Path(__file__).parents[2] / "sql"


@dataclass(frozen=True)
class Mutant:
    """A guard taken out of a function of sql/: *guard*, a pattern, is replaced by *hole*."""

    name: str
    file: str
    function: str
    guard: str
    hole: str
    # The races that should show it.
    races: tuple[str, ...]

    def statement(self) -> bytes:
        source = (SQL / self.file).read_text(encoding="utf-8")
        found = re.search(rf"create function {self.function}\(.*?^\$\$;", source, re.DOTALL | re.M)
        assert found, f"no function {self.function} in {self.file}"
        mutated, count = re.subn(self.guard, self.hole, found[0], flags=re.DOTALL)
        assert count == 1, f"{self.name}: the guard occurs {count} times"
        return mutated.replace("create function", "create or replace function", 1).encode()


LOCK = r"perform\s+from unnest\(.*?for no key update offset 0\s+\) as task;"
