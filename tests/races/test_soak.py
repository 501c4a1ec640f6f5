"""Random histories: agents, planners and people at once, at random isolation levels.

The seed is printed with a failure; the interleaving is the machine's. `make soak` runs longer:
SOAK_SECONDS says how long, SOAK_SEED from where.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import networkx  # type: ignore[import-untyped]
import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.errors import (
    CircularDependencyError,
    ClaimLostError,
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
)
from taskdb.models import Claim, DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, dependencies, features, tasks
from tests.interleave import LEVELS
from tests.plans import make_plan

Connection = psycopg.Connection[Any]

SECONDS = float(os.environ.get("SOAK_SECONDS", "8"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.randrange(1, 10**9)
WORKERS = 4
TASKS = 40
# What a caller may be told. Anything else is a bug.
REFUSALS = (
    CircularDependencyError,
    ClaimLostError,
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
)


class Worker:
    """One session that does random things until the time is over."""

    def __init__(self, url: str, number: int, stop: threading.Event) -> None:
        self.chance = random.Random(SEED * WORKERS + number)
        self.name = f"worker-{number}"
        self.url = url
        self.stop = stop
        self.made = 0
        self.held: list[Claim] = []
        self.counts: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        acts: list[Callable[[Connection], Any]] = [
            self.add_edges,
            self.add_edges,
            self.remove_edge,
            self.work,
            self.work,
            self.finish,
            self.finish,
            self.move,
            self.prioritise,
            self.create,
            self.delete,
            self.put_under,
            self.lapse,
            self.all_at_once,
        ]
        with connect(self.url) as conn:
            while not self.stop.is_set():
                conn.isolation_level = self.chance.choice(LEVELS)
                steps = self.chance.choices(acts, k=self.chance.choice([1, 1, 1, 2, 3]))
                self.attempt(conn, steps)
        return self.counts

    def attempt(self, conn: Connection, steps: list[Callable[[Connection], Any]]) -> None:
        """Run a transaction; again if it could not be serialized, at most a few times."""
        for attempt in range(20):
            state, held = self.chance.getstate(), list(self.held)
            try:
                for step in steps:
                    step(conn)
                    self.counts[step.__name__] += 1
                conn.commit()
            except (SerializationFailure, DeadlockDetected) as exc:
                conn.rollback()
                self.counts[type(exc).__name__] += 1
                self.chance.setstate(state)
                self.held = held
                time.sleep(random.random() * min(0.01 * 2**attempt, 0.3))
            except REFUSALS as exc:
                conn.rollback()
                self.counts[type(exc).__name__] += 1
                self.held = held if not isinstance(exc, ClaimLostError) else []
                return
            else:
                return
        self.counts["given up"] += 1

    def keys(self, conn: Connection, count: int) -> list[str]:
        keys = [row[0] for row in conn.execute(b"select key from tasks order by key").fetchall()]
        return self.chance.sample(keys, min(count, len(keys)))

    def add_edges(self, conn: Connection) -> None:
        keys = self.keys(conn, 6)
        if len(keys) < 2:
            return
        pairs = {tuple(self.chance.sample(keys, 2)) for _ in range(self.chance.randint(1, 3))}
        if self.chance.random() < 0.7:
            pairs = {(max(pair), min(pair)) for pair in pairs}
        edges = [
            NewDependency(task, blocker, self.chance.choice(list(DependencyType)))
            for task, blocker in sorted(pairs)
        ]
        dependencies.add_dependencies(conn, edges)

    def remove_edge(self, conn: Connection) -> None:
        for task in self.keys(conn, 3):
            for edge in dependencies.dependencies_of(conn, key=task)[:2]:
                dependencies.remove_dependency(conn, task=task, depends_on=edge.key)

    def work(self, conn: Connection) -> None:
        lease = timedelta(minutes=1)
        if self.chance.random() < 0.3:
            self.held += claims.claim_batch(conn, agent=self.name, limit=3, lease=lease)
        elif claim := claims.claim_next(conn, agent=self.name, lease=lease):
            self.held.append(claim)

    def finish(self, conn: Connection) -> None:
        if not self.held:
            return
        claim = self.held.pop(self.chance.randrange(len(self.held)))
        task_id, token = claim.task_id, claim.token
        chance = self.chance.random()
        if chance < 0.5:
            claims.complete(conn, task_id=task_id, token=token)
        elif chance < 0.6:
            claims.submit(conn, task_id=task_id, token=token)
        elif chance < 0.7:
            claims.release(conn, task_id=task_id, token=token)
        elif chance < 0.8:
            claims.fail(conn, task_id=task_id, token=token, error="it broke", retry_in=timedelta(0))
        elif chance < 0.85:
            claims.fail(conn, task_id=task_id, token=token, error="it broke")
        else:
            claims.heartbeat(conn, task_id=task_id, token=token)
            self.held.append(claim)

    def move(self, conn: Connection) -> None:
        for key in self.keys(conn, 1):
            status = self.chance.choice(list(TaskStatus))
            tasks.update_status(
                conn,
                key=key,
                status=status,
                force=self.chance.random() < 0.7,
                agent=self.name,
                blocked_reason="it rains" if status is TaskStatus.BLOCKED else None,
            )

    def prioritise(self, conn: Connection) -> None:
        for key in self.keys(conn, 2):
            tasks.update(conn, key=key, priority=self.chance.randint(1, 10))

    def create(self, conn: Connection) -> None:
        self.made += 1
        key = f"{self.name}-{self.chance.randrange(10)}-{self.made}"
        old = self.keys(conn, 3)
        edges = [NewDependency(key, blocker) for blocker in old[:2]]
        if len(old) == 3 and self.chance.random() < 0.5:
            edges.append(NewDependency(old[2], key, DependencyType.BLOCKS))
        parent = old[-1] if old else None
        priority = self.chance.randint(1, 10)
        new = NewTask(key=key, title=key, parent=parent, priority=priority)
        tasks.create_many(conn, [new], edges)

    def delete(self, conn: Connection) -> None:
        (count,) = conn.execute(b"select count(*) from tasks").fetchone() or (0,)
        if count > TASKS:
            for key in self.keys(conn, 1):
                tasks.delete(conn, key=key)

    def put_under(self, conn: Connection) -> None:
        keys = self.keys(conn, 2)
        if len(keys) == 2:
            parent = tasks.get_by_key(conn, key=keys[1]).id
            tasks.update(
                conn, key=keys[0], parent_id=parent if self.chance.random() < 0.8 else None
            )

    def lapse(self, conn: Connection) -> None:
        if self.held:
            conn.execute(
                b"update tasks set lease_expires_at = now() - interval '1 second'"
                b" where id = $1 and claim_agent is not null",
                (self.chance.choice(self.held).task_id,),
            )

    def all_at_once(self, conn: Connection) -> None:
        """Edges removed and blockers moved by one statement, as somebody might in psql."""
        keys = self.keys(conn, 3)
        conn.execute(
            b"with moved as ("
            b"    update tasks set status_forced = true, status = case status"
            b"        when 'completed' then cast('pending' as shared.task_status)"
            b"        else 'completed' end"
            b"    where key = any($1) returning id"
            b") delete from task_dependencies as edge using tasks as task"
            b" where task.id = edge.task_id and task.key = $2",
            (keys[1:], keys[0] if keys else None),
        )


def counted_by_hand(conn: Connection) -> tuple[dict[str, int], dict[str, int], bool]:
    """Every task's count as it is and as plain Python counts it, and whether there is a cycle."""
    rows = conn.execute(
        b"select id, key, status::text, completed_at is not null, open_dependencies from tasks"
    ).fetchall()
    edges = conn.execute(
        b"select task_id, depends_on_id, dependency_type::text from task_dependencies"
    ).fetchall()
    state = {id: (status, completed) for id, _, status, completed, _ in rows}
    names = {id: key for id, key, *_ in rows}
    counts = dict.fromkeys(names.values(), 0)
    graph = networkx.DiGraph()
    for task, blocker, kind in edges:
        status, completed = state[blocker]
        done = status == "completed"
        if kind == "requires":
            done = done or (status == "archived" and completed)
        elif kind == "blocks":
            done = done or status in ("cancelled", "archived")
        if kind != "suggests":
            graph.add_edge(task, blocker)
            counts[names[task]] += not done
    kept = {key: count for _, key, _, _, count in rows}
    return kept, counts, networkx.is_directed_acyclic_graph(graph)


def test_random_concurrent_histories_leave_every_promise_whole(database_url: str) -> None:
    with connect(database_url) as conn:
        plan = make_plan(conn)
        made = [NewTask(key=f"a-{number:02}", title="soak") for number in range(TASKS)]
        tasks.create_many(conn, made)
    stop = threading.Event()
    workers = [Worker(database_url, number, stop) for number in range(WORKERS)]
    findings: list[doctor.Finding] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(worker.run) for worker in workers]
        try:
            end = time.monotonic() + SECONDS
            with connect(database_url, autocommit=True) as watch:
                while time.monotonic() < end and not findings:
                    if any(one.done() for one in running):
                        break
                    findings = doctor.run(watch)
        finally:
            stop.set()
        counts: Counter[str] = sum((one.result() for one in running), Counter())

    assert findings == [], f"while they worked, SOAK_SEED={SEED}"
    with connect(database_url) as conn:
        assert doctor.run(conn) == [], f"SOAK_SEED={SEED}"
        kept, counted, acyclic = counted_by_hand(conn)
        assert kept == counted, f"SOAK_SEED={SEED}"
        assert acyclic, f"SOAK_SEED={SEED}"
        if tasks.list_tasks(conn, feature_id=features.get_by_key(conn, key=plan.features[0]).id):
            features.update_progress(conn, key=plan.features[0])
        assert doctor.run(conn) == [], f"SOAK_SEED={SEED}"
    print(f"SOAK_SEED={SEED}", dict(counts))
    acts = (
        "add_edges",
        "remove_edge",
        "work",
        "finish",
        "move",
        "prioritise",
        "create",
        "all_at_once",
    )
    assert all(counts[act] for act in acts), counts
