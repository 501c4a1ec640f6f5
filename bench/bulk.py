"""Bulk work: `bench.bulk URL LIMIT BLOCKERS` prints JSON.

A plan of many tasks with three times as many edges and ten priorities, loaded by `create_many`, in
times of a COPY of the same rows into tables without triggers; and completing many blockers of one
task by one statement: n, and four times n. Plans grow until the next one would take
longer than *LIMIT* seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from bench import connected, query
from bench.accounts import lift_timeout, settled
from bench.scale import analyze_all, empty_plan, make_bare_tables
from taskdb.database import Connection
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.queries import tasks

SIZES: Final = (1_000, 3_000, 10_000, 30_000, 100_000)
DISTANCES: Final = (1, 7, 150)


@query(file="scale")
def copy_bare_tasks(*, key: str, title: str, priority: int) -> int: ...


@query(file="scale")
def copy_bare_edges(*, task_id: UUID, depends_on_id: UUID) -> int: ...


@query(file="scale")
def forget_statistics() -> int: ...


@query(file="scale")
def fill_blockers(*, blockers: int) -> int: ...


@query(file="scale")
def block_one() -> int: ...


@query(file="scale")
def start_blockers() -> int: ...


@query(file="scale")
def complete_blockers() -> int: ...


@query(file="scale")
def milestone_status() -> str: ...


def seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def load(conn: Connection, size: int) -> dict[str, float]:
    """Load a plan both ways; return the seconds and the ratio of the speeds.

    No statistics are left from an earlier plan: what they say decides how long the load takes.
    """
    empty_plan(conn)
    forget_statistics(conn)
    make_bare_tables(conn)
    plan = [NewTask(key=f"P-{n}", title=f"Task {n}", priority=1 + n % 10) for n in range(size)]
    edges = [
        NewDependency(f"P-{n}", f"P-{n - distance}")
        for n in range(size)
        for distance in DISTANCES
        if n >= distance
    ]

    def create() -> None:
        with conn.transaction():
            tasks.create_many(conn, plan, edges)

    ours = seconds(create)
    ids = {row.key: row.id for row in tasks.ids_by_key(conn, keys=[t.key or "" for t in plan])}
    rows = [{"key": task.key, "title": task.title, "priority": task.priority} for task in plan]
    pairs = [{"task_id": ids[e.task], "depends_on_id": ids[e.depends_on]} for e in edges]

    def copy() -> None:
        copy_bare_tasks.copy(conn, rows)
        copy_bare_edges.copy(conn, pairs)

    bare = seconds(copy)
    analyze_all(conn)
    return {"create_many s": ours, "COPY s": bare, "speed over COPY": bare / ours}


def loads(conn: Connection, limit: float) -> dict[str, dict[str, float]]:
    """Load ever larger plans, until one would take longer than *limit* seconds."""
    found: dict[str, dict[str, float]] = {}
    for size in SIZES:
        found[str(size)] = load(conn, size)
        # A load three times as large may take ten times as long.
        if found[str(size)]["create_many s"] * 10 > limit:
            break
    return found


def complete(conn: Connection, blockers: int) -> float:
    """Return the server's processor time, in ms, to complete all blockers of one task at once."""
    empty_plan(conn)
    fill_blockers(conn, blockers=blockers)
    block_one(conn)
    start_blockers(conn)
    analyze_all(conn)
    pid = conn.info.backend_pid
    before = settled(pid)
    complete_blockers(conn)
    spent = settled(pid) - before
    if milestone_status(conn) != "pending":
        raise RuntimeError("The task did not become ready when its blockers were completed")
    return spent / 1e6


def measure(conn: Connection, limit: float, blockers: int) -> dict[str, Any]:
    """Measure both."""
    completed = {str(count): complete(conn, count) for count in (blockers, 4 * blockers)}
    few, many = completed.values()
    return {
        "load": loads(conn, limit),
        "completing blockers, ms": completed,
        "four times the blockers": many / few,
    }


def main(url: str, limit: str, blockers: str) -> None:
    """Print the figures."""
    with connected(url) as conn:
        lift_timeout(conn)
        json.dump(measure(conn, float(limit), int(blockers)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
