"""How long a typed query takes beside the same statement through plain psycopg.

    python -m bench.bench_query postgresql:///postgres

Prints, for one row by its key and for 1,000 rows of 15 columns (three of them jsonb), the
first quartile of many calls in microseconds, and its ratio to plain psycopg with tuples. The
table is temporary. The figures of docs/decisions/0002-query-module.md come from here.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import RawCursor
from psycopg.rows import class_row

from taskdb.query import Queries

query = Queries(Path(__file__).parent / "sql", name="bench")


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


@query(file="bench_query")
def get_by_key(key: str) -> Row: ...


@query(file="bench_query")
def list_tasks(
    *, status: Status | None = None, agent_type: str | None = None, limit: int = 50
) -> list[Row]: ...


TABLE = """
create temporary table bench_tasks as
select
    gen_random_uuid() as id,
    'T-' || n as key,
    'Title of task ' || n as title,
    repeat('text ', 20) as description,
    case when n % 2 = 0 then 'pending' else 'completed' end as status,
    1 + n % 10 as priority,
    'developer'::text as agent_type,
    1.5::numeric as estimated_hours,
    n as execution_order,
    '{"files": ["a.py", "b.py"], "done": false}'::jsonb as requirements,
    '{"branch": "main"}'::jsonb as context,
    '{"source": {"status": "todo"}}'::jsonb as metadata,
    'bench'::text as created_by,
    now() as created_at,
    now() as updated_at
from generate_series(1, 5000) as n
"""


def measure(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the first quartile of each call's time in microseconds.

    The calls take turns in runs of twenty, so that each is measured with its own code warm, and
    whatever else the machine does disturbs all alike.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            for _ in range(20):
                begin = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.quantiles(taken)[0] * 1e6 for name, taken in times.items()}


def ways(conn: psycopg.Connection[Any]) -> dict[str, dict[str, Callable[[], object]]]:
    """Return what is compared: for each question, ways to ask it; plain psycopg comes first."""
    one = next(get_by_key.variants()).text.partition("*/ ")[2]
    many = next(list_tasks.variants()).text.partition("*/ ")[2]
    one_s, many_s = one.replace("$1", "%s"), many.replace("$1", "%s")
    raw = RawCursor(conn)
    records = conn.cursor(row_factory=class_row(Row))
    return {
        "one row by key": {
            "psycopg, tuples": lambda: conn.execute(one_s, ["T-77"]).fetchall(),
            "psycopg, RawCursor, tuples": lambda: raw.execute(one, ["T-77"]).fetchall(),
            "psycopg, class_row": lambda: records.execute(one_s, ["T-77"]).fetchall(),
            "taskdb": lambda: get_by_key(conn, "T-77"),
        },
        "1,000 rows": {
            "psycopg, tuples": lambda: conn.execute(many_s, [1000]).fetchall(),
            "psycopg, RawCursor, tuples": lambda: raw.execute(many, [1000]).fetchall(),
            "psycopg, class_row": lambda: records.execute(many_s, [1000]).fetchall(),
            "taskdb": lambda: list_tasks(conn, limit=1000),
        },
    }


def main(url: str) -> None:
    with psycopg.connect(url) as conn:
        conn.execute(TABLE)
        conn.execute("create unique index on bench_tasks (key)")
        conn.execute("analyze bench_tasks")
        print(f"PostgreSQL {conn.info.server_version // 10000}, psycopg {psycopg.__version__}")
        for question, calls in ways(conn).items():
            figures = measure(calls, 250 if "one" in question else 10)
            for name, figure in figures.items():
                ratio = figure / figures["psycopg, tuples"]
                print(f"{question:<16}{name:<28}{figure:>10.1f} us{ratio:>7.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
