"""Cost of calls to the server at two sizes of the plan: `bench.scale URL SIZE` prints JSON.

A figure is the median of 40 calls, in microseconds of the backend's processor time, each call a
durable transaction of its own. It runs on any checkout's taskdb (`bench/launch.py`).
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, Final
from uuid import UUID

from bench import connected, query
from bench.accounts import settled
from taskdb.database import Connection
from taskdb.models.claims import Claim
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, dependencies, epics, features, tasks

CALLS: Final = 40
# psycopg prepares at the sixth call; PostgreSQL settles on a plan at the sixth after that.
WARM_CALLS: Final = 12
CHUNK: Final = 20_000
FEATURES: Final = 20
AGENT_TYPES: Final = ["backend", "frontend", "tests", "docs"]


@query(file="scale")
def make_bare_tasks() -> None: ...


@query(file="scale")
def make_bare_edges() -> None: ...


@query(file="scale")
def insert_bare_task(*, key: str, title: str) -> datetime: ...


@query(file="scale")
def insert_bare_edge(*, task: str, depends_on: str) -> datetime: ...


@query(file="scale")
def empty_bare() -> None: ...


@query(file="scale")
def empty_plan() -> None: ...


@query(file="scale")
def analyze_all() -> None: ...


def make_bare_tables(conn: Connection) -> None:
    """Leave empty tables that are like those of tasks and edges but have no triggers."""
    make_bare_tasks(conn)
    make_bare_edges(conn)
    empty_bare(conn)


def key(number: int) -> str:
    return f"PLAN-{number}"


def new_task(number: int, feature: UUID) -> NewTask:
    """Return a task; those of one chain of dependencies have the same priority."""
    return NewTask(
        key=key(number),
        title=f"Task {number}",
        priority=1 + number % 7,
        agent_type=AGENT_TYPES[number % 4] if number % 3 == 0 else None,
        assigned_agent=f"agent-{number % 50}" if number % 10 == 1 else None,
        created_by=f"planner-{number % 100}",
        feature_id=feature,
        parent=key(number - number % 50) if number % 50 else None,
    )


def edges_of(number: int) -> Iterator[NewDependency]:
    """Three tasks of four wait for another one: chains of up to four."""
    if number % 4 and number >= 7:
        yield NewDependency(key(number), key(number - 7))


def seed(conn: Connection, size: int) -> UUID:
    """Make a plan of *size* tasks; return the id of one of its features."""
    epic = epics.create(conn, key="E01", title="Everything")
    made = [
        features.create(conn, epic_id=epic.id, key=f"E01-F{n + 1:02}", title="A part").id
        for n in range(FEATURES)
    ]
    for first in range(0, size, CHUNK):
        numbers = range(first, min(size, first + CHUNK))
        tasks.create_many(
            conn,
            [new_task(number, made[number % FEATURES]) for number in numbers],
            [edge for number in numbers for edge in edges_of(number)],
        )
    analyze_all(conn)
    return made[0]


class Costs:
    """Measures calls on one connection."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.pid = conn.info.backend_pid
        self.found: dict[str, float] = {}

    def measure(self, name: str, call: Callable[[int], Any]) -> None:
        """Make a call so often; keep the median of what it cost the server."""
        taken: list[int] = []
        for number in range(WARM_CALLS + CALLS):
            before = settled(self.pid)
            call(number)
            taken.append(settled(self.pid) - before)
        self.found[name] = statistics.median(taken[WARM_CALLS:]) / 1e3


def measure(conn: Connection, size: int) -> dict[str, float]:
    """Seed a plan and measure everything on it."""
    empty_plan(conn)
    feature = seed(conn, size)
    costs = Costs(conn)
    _read(costs, size, feature)
    _write(costs, size)
    return costs.found


def _read(costs: Costs, size: int, feature: UUID) -> None:
    conn = costs.conn
    step = size // 60
    rows = [tasks.get_by_key(conn, key(step * n + 3)) for n in range(WARM_CALLS + CALLS)]
    parent = tasks.get_by_key(conn, key(50 * (size // 100))).id
    costs.measure("get by key", lambda n: tasks.get_by_key(conn, rows[n].key))
    costs.measure("get by id", lambda n: tasks.get(conn, rows[n].id))
    filters: dict[str, dict[str, Any]] = {
        "nothing": {},
        "status": {"status": TaskStatus.PENDING},
        "agent_type": {"agent_type": "docs"},
        "assigned_agent": {"assigned_agent": "agent-1"},
        "priority": {"priority": 3},
        "at_least": {"at_least": 2},
        "feature_id": {"feature_id": feature},
        "parent_id": {"parent_id": parent},
        "created_by": {"created_by": "planner-5"},
        "status and feature_id": {"status": TaskStatus.PENDING, "feature_id": feature},
    }
    for name, given in filters.items():
        costs.measure(f"list by {name}", partial(_list, conn, given))
    costs.measure("list_ready", lambda _: tasks.list_ready(conn))
    costs.measure("list_ready of an agent", lambda _: tasks.list_ready(conn, agent="agent-1"))
    costs.measure(
        "list_ready of a type",
        lambda _: tasks.list_ready(conn, agent="agent-1", agent_type="docs"),
    )


def _list(conn: Connection, given: dict[str, Any], _: int) -> None:
    tasks.list_tasks(conn, **given)


def _write(costs: Costs, size: int) -> None:
    conn = costs.conn
    make_bare_tables(conn)
    numbers = count(size)
    costs.measure(
        "create", lambda _: tasks.create(conn, key=key(next(numbers)), title="A new task")
    )
    costs.measure(
        "bare insert of a task",
        lambda n: insert_bare_task(conn, key=f"BARE-{n}", title="A new task"),
    )
    # From one chain to a later one, in plans of any size: an edge that closes no cycle. Each
    # blocker is the first of its chain. Tasks whose numbers differ by sevens have the same
    # priority; six more is, but for one in seven, more urgent. The last of a chain ranks below the
    # third one of any other.
    first, far = size // 16 * 4, size // 112 * 28
    waiting = _ends(first, far + 7)
    costs.measure("new edge", lambda n: _add_edge(conn, waiting[n]))
    ready = _ends(first, far)
    costs.measure("new edge, task blocked by it", lambda n: _add_edge(conn, ready[n]))
    late = _ends(first + 2, far + 21)
    costs.measure("new edge, ranks repaired", lambda n: _add_edge(conn, late[n]))
    urgent = _ends(first * 3, 6)
    costs.measure("new edge, priority inherited", lambda n: _add_edge(conn, urgent[n]))
    costs.measure(
        "bare insert of an edge",
        lambda n: insert_bare_edge(conn, task=waiting[n][0], depends_on=waiting[n][1]),
    )
    claimed: list[Claim] = []

    def claim(_: int) -> None:
        found = claims.claim_next(conn, agent="agent-1")
        assert found is not None
        claimed.append(found)

    costs.measure("claim", claim)
    costs.measure(
        "completion",
        lambda n: claims.complete(conn, task_id=claimed[n].task_id, token=claimed[n].token),
    )


def _ends(first: int, apart: int) -> list[tuple[str, str]]:
    """Return ends of edges, waiting and awaited: the *first* blocker, every fourth after it."""
    blockers = range(first, first + 4 * (WARM_CALLS + CALLS), 4)
    return [(key(blocker + apart), key(blocker)) for blocker in blockers]


def _add_edge(conn: Connection, ends: tuple[str, str]) -> None:
    dependencies.add_dependency(conn, task=ends[0], depends_on=ends[1])


def main(url: str, size: str) -> None:
    """Print what calls cost on a plan of that size."""
    with connected(url) as conn:
        json.dump(measure(conn, int(size)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
