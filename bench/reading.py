"""Reading: one row by its key, and 1,000 rows, with the same statement in every way.

Here are psycopg and taskdb; reading_others.py has what `make bench` installs besides. Every way
keeps one connection open and leaves statements to be prepared as it does by itself.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

import psycopg
from psycopg import RawCursor
from psycopg.rows import class_row

from bench import Table, connected, plain, query
from bench.pgbench import Pgbench
from taskdb.database import connect, connect_async

KEY: Final = "T-77"
ROWS: Final = 5000
MANY: Final = 1000


class Status(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"


@dataclass(slots=True)
class Row:
    id: UUID
    key: str
    title: str
    description: str | None
    status: Status
    priority: int
    agent_type: str | None
    estimated_hours: Decimal | None
    execution_order: int | None
    requirements: dict[str, Any] | None
    context: dict[str, Any] | None
    metadata: dict[str, Any] | None
    created_by: str | None
    created_at: datetime
    updated_at: datetime


@query
def create_table() -> None: ...


@query
def fill_table(*, rows: int) -> int: ...


@query
def analyze_table() -> None: ...


@query
def get_by_key(key: str) -> Row: ...


@query
def list_tasks(
    *, status: Status | None = None, agent_type: str | None = None, limit: int = 50
) -> list[Row]: ...


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask both questions. Where there is a *runner*, the calls are to be awaited."""

    name: str
    gives: str
    one: Callable[[], Any]
    many: Callable[[], Any]
    runner: asyncio.Runner | None = None

    def times(self, call: Callable[[], Any], number: int) -> list[float]:
        """Make *call* *number* times; return the seconds that each took."""
        if self.runner:
            return self.runner.run(_times_async(call, number))
        taken: list[float] = []
        for _ in range(number):
            begin = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begin)
        return taken

    def answer(self, call: Callable[[], Any]) -> Any:
        """Make *call* once and return what it gives."""
        return self.runner.run(call()) if self.runner else call()

    def prove(self) -> None:
        """Raise if the answers are not the rows that were asked for."""
        row, rows = self.answer(self.one), self.answer(self.many)
        key = row.key if hasattr(row, "key") else row[1]
        if key != KEY or len(rows) != MANY:
            raise RuntimeError(f"{self.name} did not read what it was asked for")


Question: TypeAlias = Callable[[Way], Callable[[], Any]]


async def _times_async(call: Callable[[], Any], number: int) -> list[float]:
    taken: list[float] = []
    for _ in range(number):
        begin = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - begin)
    return taken


def prepare(url: str) -> None:
    """Make the table that is read."""
    with connected(url) as conn:
        create_table(conn)
        fill_table(conn, rows=ROWS)
        analyze_table(conn)


@contextmanager
def ways(url: str) -> Iterator[list[Way]]:
    """Open the connections of psycopg and of taskdb; psycopg's plain way comes first."""
    one, many = plain(get_by_key), plain(list_tasks)
    one_s, many_s = one.replace("$1", "%s"), many.replace("$1", "%s")
    with ExitStack() as stack:
        conn = stack.enter_context(psycopg.connect(url))
        raw = RawCursor(conn)
        records = conn.cursor(row_factory=class_row(Row))
        ours = stack.enter_context(connect(url))
        runner = stack.enter_context(asyncio.Runner())
        aconn = runner.run(psycopg.AsyncConnection.connect(url))
        stack.callback(lambda: runner.run(aconn.close()))
        ours_async = runner.run(connect_async(url))
        stack.callback(lambda: runner.run(ours_async.close()))

        async def one_async() -> Any:
            return await (await aconn.execute(one_s, [KEY])).fetchone()

        async def many_async() -> Any:
            return await (await aconn.execute(many_s, [MANY])).fetchall()

        yield [
            Way(
                "psycopg, `conn.execute`",
                "tuple",
                lambda: conn.execute(one_s, [KEY]).fetchone(),
                lambda: conn.execute(many_s, [MANY]).fetchall(),
            ),
            Way(
                "psycopg, one `RawCursor` kept",
                "tuple",
                lambda: raw.execute(one, [KEY]).fetchone(),
                lambda: raw.execute(many, [MANY]).fetchall(),
            ),
            Way(
                "psycopg, one cursor kept, `class_row`",
                "dataclass",
                lambda: records.execute(one_s, [KEY]).fetchone(),
                lambda: records.execute(many_s, [MANY]).fetchall(),
            ),
            Way(
                "**taskdb**",
                "dataclass, checked, status as enum",
                lambda: get_by_key(ours, KEY),
                lambda: list_tasks(ours, limit=MANY),
            ),
            Way("psycopg, async", "tuple", one_async, many_async, runner),
            Way(
                "**taskdb, async**",
                "dataclass, checked, status as enum",
                lambda: get_by_key(ours_async, KEY),
                lambda: list_tasks(ours_async, limit=MANY),
                runner,
            ),
        ]


def measure(compared: Sequence[Way], question: Question, calls: int, seconds: float) -> list[float]:
    """Return the first quartile of each way's time, in seconds.

    The ways take turns of equal length, so that each is measured with its own code warm, and
    whatever else the machine does disturbs all alike.
    """
    taken: list[list[float]] = [[] for _ in compared]
    end = time.perf_counter() + seconds * len(compared)
    while not taken[0] or time.perf_counter() < end:
        for way, times in zip(compared, taken, strict=True):
            times.extend(way.times(question(way), calls))
    return [statistics.quantiles(times, method="inclusive")[0] for times in taken]


def tables(compared: Sequence[Way], pgbench: Pgbench, seconds: float) -> list[Table]:
    """Measure both questions; return a table for each."""
    for way in compared:
        way.prove()
    made: list[Table] = []
    for title, question, calls, function, values in (
        ("One row by its key", lambda way: way.one, 20, get_by_key, {"key": KEY}),
        (f"{MANY:,} rows", lambda way: way.many, 2, list_tasks, {"limit": str(MANY)}),
    ):
        before = pgbench.latencies(function, values, seconds / 2)
        figures = measure(compared, question, calls, seconds)
        after = pgbench.latencies(function, values, seconds / 2)
        lines = [(way.name, way.gives) for way in compared]
        lines.append(("pgbench, the ceiling", "nothing is decoded"))
        figures.append(statistics.quantiles(before + after, method="inclusive")[0])
        rows = [
            (*line, _microseconds(figure), f"{figure / figures[0]:.2f}")
            for line, figure in zip(lines, figures, strict=True)
        ]
        made.append(Table(title, ("way", "what comes back", "time", "ratio"), rows))
    return made


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us" if seconds < 0.001 else f"{seconds * 1e3:.1f} ms"
