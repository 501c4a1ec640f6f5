"""Plans to test on, made through the typed functions."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from taskdb.models.claims import Claim
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import claims, dependencies, epics, features, tasks

LARGE = 10_000


@dataclass(frozen=True)
class Plan:
    """The keys of a small plan: an epic of two features with five tasks, and a task beside it.

    ::

        design ── build ─┬─ test ──┬─ release        (and docs suggests design)
                         └─ docs ──┘                 chore
    """

    epic: str = "E01"
    features: tuple[str, ...] = ("E01-F01", "E01-F02")
    design: str = "T-E01-F01-001"
    build: str = "T-E01-F01-002"
    test: str = "T-E01-F01-003"
    docs: str = "T-E01-F02-001"
    release: str = "T-E01-F02-002"
    chore: str = "chore"

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, each after what it waits for."""
        return (self.design, self.build, self.test, self.docs, self.release, self.chore)

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Edges as pairs: the task that waits, and the one it waits for."""
        return (
            (self.build, self.design),
            (self.test, self.build),
            (self.docs, self.build),
            (self.release, self.test),
            (self.release, self.docs),
        )


def make_plan(conn: psycopg.Connection[Any]) -> Plan:
    """Make the small plan in the transaction of *conn*."""
    plan = Plan()
    epic = epics.create(conn, key=plan.epic, title="A small plan")
    ids = [
        features.create(conn, epic_id=epic.id, key=key, title=f"Feature {key}").id
        for key in plan.features
    ]
    for key in plan.tasks:
        feature = {"T-E01-F01": ids[0], "T-E01-F02": ids[1]}.get(key[:9])
        tasks.create(conn, key=key, title=f"Task {key}", feature_id=feature)
    for task, depends_on in plan.edges:
        dependencies.add_dependency(conn, task=task, depends_on=depends_on)
    dependencies.add_dependency(
        conn, task=plan.docs, depends_on=plan.design, dependency_type=DependencyType.SUGGESTS
    )
    return plan


@dataclass(frozen=True)
class LargePlan:
    """A database with 10,000 tasks in 100 features, a third of them completed."""

    url: str

    @staticmethod
    def key(number: int) -> str:
        """The key of a task, 0 to 9,999; a task waits for lower numbers only."""
        return f"T-E{number // 1000:02}-F{number // 100 % 10:02}-{number % 100:03}"


def make_large_plan(conn: psycopg.Connection[Any]) -> None:
    """Make the large plan, always the same, in the transaction of *conn*."""
    chance = random.Random(7)
    feature_ids = []
    for number in range(10):
        epic = epics.create(conn, key=f"E{number:02}", title=f"Epic {number}")
        for feature in range(10):
            key = f"E{number:02}-F{feature:02}"
            made = features.create(conn, epic_id=epic.id, key=key, title=f"Feature {key}")
            feature_ids.append(made.id)
    plan = [
        NewTask(
            key=LargePlan.key(number),
            title=f"Task {number}",
            feature_id=feature_ids[number // 100],
            status=TaskStatus.COMPLETED if number < LARGE // 3 else TaskStatus.PENDING,
            priority=chance.randint(1, 10),
            agent_type=chance.choice([None, "coder", "tester", "writer"]),
            execution_order=number % 100,
        )
        for number in range(LARGE)
    ]
    edges = [
        NewDependency(LargePlan.key(number), LargePlan.key(blocker))
        for number in range(1, LARGE)
        for blocker in {chance.randrange(max(0, number - 300), number) for _ in range(number % 3)}
    ]
    tasks.create_many(conn, plan, edges)


def make_tasks(conn: psycopg.Connection[Any], *keys: str, **fields: Any) -> None:
    """Make tasks one after another, each titled as its key."""
    for key in keys:
        tasks.create(conn, key=key, title=key, **fields)


def make_graph(
    conn: psycopg.Connection[Any],
    *edges: str | tuple[str, str],
    keys: Iterable[str] = (),
    **priorities: int,
) -> None:
    """Make tasks in one statement: by *keys*, or by name with a priority.

    An edge is "task>blocker" or the pair of them.
    """
    new = [NewTask(key=key, title=key) for key in keys]
    new += [NewTask(key=key, title=key, priority=value) for key, value in priorities.items()]
    pairs = (edge.split(">") if isinstance(edge, str) else edge for edge in edges)
    tasks.create_many(conn, new, [NewDependency(task, blocker) for task, blocker in pairs])


def lapse_leases(conn: psycopg.Connection[Any]) -> None:
    """Let every lease be over: back-dated, so that no test waits."""
    conn.execute(
        b"update tasks set lease_expires_at = now() - interval '1 second'"
        b" where claim_agent is not null"
    )


def take(conn: psycopg.Connection[Any], agent: str = "ada", **wishes: Any) -> Claim:
    """Claim the next task; there is one."""
    claim = claims.claim_next(conn, agent=agent, **wishes)
    assert claim
    return claim
