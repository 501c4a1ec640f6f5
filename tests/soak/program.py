"""Random concurrent programs: clients, each with blocks, each with calls of the public API.

A block is a transaction at some isolation level that ends with a commit, a rollback or a dropped
connection. Every call carries a tag of its own (as agent, note or author), by which the judge
finds what it did.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from psycopg import IsolationLevel

from taskdb.models import DependencyType, NewDependency, TaskStatus
from taskdb.queries import claims, dependencies, pauses, tasks

# Takes a connection, sync or async, and returns what the public function returns.
Call: TypeAlias = Callable[[Any], Any]

KEYS: Final = [f"t{number}" for number in range(8)]
TYPE: Final = "docs"
ENDINGS: Final = {
    "complete": "completed",
    "submit": "submitted",
    "fail": "failed",
    "release": "released",
    "complete_many": "completed",
    "fail_many": "failed",
    "release_many": "released",
    "complete_and_claim_next": "completed",
}
WORK: Final = {
    "claim_next": 4,
    "claim_batch": 2,
    "claim": 2,
    "heartbeat": 2,
    "heartbeat_many": 4,
    "complete": 2,
    "submit": 1,
    "fail": 1,
    "release": 2,
    "complete_many": 3,
    "fail_many": 1,
    "release_many": 2,
    "complete_and_claim_next": 2,
}
PLANNING: Final = {
    "add_dependency": 6,
    "add_dependencies": 3,
    "remove_dependency": 2,
    "update_status": 5,
    "prioritise": 2,
    "create": 2,
    "delete": 1,
    "requeue": 1,
    "pause": 1,
    "resume": 2,
}
# Workers make one call a transaction: no order of theirs can be the cause of a deadlock.
PROFILES: Final[dict[str, dict[str, int]]] = {
    "workers": WORK,
    "graph": {**PLANNING, "claim_next": 2, "complete": 3},
    "all": {**WORK, **PLANNING},
}


@dataclass(frozen=True)
class Op:
    """One call; the numbers choose tasks and claims when it is made."""

    name: str
    numbers: tuple[int, ...]
    # "", "keep" (a savepoint that is released) or "undo" (one that is rolled back to).
    savepoint: str = ""
    pause: float = 0.0


@dataclass(frozen=True)
class Block:
    """A transaction; with *retrying* through `Database.retrying`."""

    level: IsolationLevel
    ops: tuple[Op, ...]
    end: str = "commit"
    retrying: bool = False


@dataclass(frozen=True)
class Client:
    """One session, sync or async."""

    is_async: bool
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Program:
    """Concurrent operations on a plan of the tasks KEYS."""

    profile: str
    clients: tuple[Client, ...]

    def __str__(self) -> str:
        lines = [f"profile {self.profile}; tasks {KEYS[0]} to {KEYS[-1]}, pending"]
        for number, client in enumerate(self.clients):
            lines.append(f"client {number}, {'async' if client.is_async else 'sync'}")
            for block in client.blocks:
                how = " retrying" if block.retrying else ""
                lines.append(f"  begin {block.level.name}{how}")
                lines += [
                    f"    {op.name} {op.numbers} {op.savepoint} {op.pause or ''}".rstrip()
                    for op in block.ops
                ]
                lines.append(f"  {block.end}")
        return "\n".join(lines)

    def parts(self) -> list[tuple[int, int, int]]:
        """Return the place of every call: client, block, number."""
        return [
            (one, two, three)
            for one, client in enumerate(self.clients)
            for two, block in enumerate(client.blocks)
            for three, _ in enumerate(block.ops)
        ]

    def only(self, parts: list[tuple[int, int, int]]) -> Program:
        """Return the program of these calls alone."""
        kept = set(parts)
        clients = []
        for one, client in enumerate(self.clients):
            blocks = []
            for two, block in enumerate(client.blocks):
                ops = tuple(op for n, op in enumerate(block.ops) if (one, two, n) in kept)
                if ops:
                    blocks.append(Block(block.level, ops, block.end, block.retrying))
            if blocks:
                clients.append(Client(client.is_async, tuple(blocks)))
        return Program(self.profile, tuple(clients))


def random_program(chance: random.Random) -> Program:
    """Return any program of 2 to 16 clients."""
    profile = chance.choice(list(PROFILES))
    weights = PROFILES[profile]
    return Program(
        profile,
        tuple(
            Client(
                chance.random() < 0.4,
                tuple(
                    _random_block(chance, weights, alone=profile == "workers")
                    for _ in range(chance.randint(1, 6))
                ),
            )
            for _ in range(chance.choice([2, 3, 4, 6, 8, 16]))
        ),
    )


def _random_block(chance: random.Random, weights: dict[str, int], *, alone: bool) -> Block:
    level = chance.choice(
        [
            IsolationLevel.READ_COMMITTED,
            IsolationLevel.READ_COMMITTED,
            IsolationLevel.REPEATABLE_READ,
            IsolationLevel.SERIALIZABLE,
        ]
    )
    ops = tuple(
        Op(
            chance.choices(list(weights), list(weights.values()))[0],
            tuple(chance.randrange(1000) for _ in range(3)),
            chance.choices(["", "keep", "undo"], [8, 1, 1])[0],
            chance.choice([0, 0, 0, 0.001, 0.01]),
        )
        for _ in range(1 if alone else chance.choice([1, 1, 1, 2, 3]))
    )
    if any(op.name in ("pause", "resume") for op in ops):
        # No other level may change a pause.
        level = IsolationLevel.READ_COMMITTED
    end = chance.choices(["commit", "rollback", "drop"], [10, 1, 1])[0]
    return Block(level, ops, end, retrying=end == "commit" and chance.random() < 0.3)


@dataclass
class Attempt:
    """One run of a block. `kept` is None where nobody can know whether it was committed."""

    block: Block
    began: float
    events: list[Event] = field(default_factory=list)
    error: BaseException | None = None
    kept: bool | None = False
    acknowledged: float = 0.0


@dataclass
class Event:
    """One call, and its answer; `answered` is False where it raised."""

    tag: str
    op: Op
    attempt: Attempt
    arguments: dict[str, Any]
    answer: Any = None
    answered: bool = False
    undone: bool = False

    @property
    def kept(self) -> bool | None:
        """Return whether its effects must be there: True, False, or None for unknown."""
        return False if self.undone or not self.answered else self.attempt.kept


class World:
    """State shared by the clients of one run: the claims they were told of, and the log."""

    def __init__(self) -> None:
        self.log: list[Attempt] = []
        self._claims: list[tuple[UUID, int]] = []
        self._made: list[str] = []
        self._lock = threading.Lock()

    def begin(self, block: Block, now: float) -> Attempt:
        with self._lock:
            attempt = Attempt(block, now)
            self.log.append(attempt)
        return attempt

    def learn(self, event: Event) -> None:
        """Remember the claims of an answer, for any client to end."""
        found = claims_of(event)
        with self._lock:
            self._claims += [(task_id, token) for task_id, token, _ in found]

    def call(self, op: Op, tag: str, attempt: Attempt) -> tuple[Event, Call] | None:
        """Return the call that *op* stands for now; None where it needs a claim and none is."""
        event = Event(tag, op, attempt, {})
        with self._lock:
            held = list(self._claims)
        first, second, third = op.numbers
        one, other = KEYS[first % len(KEYS)], KEYS[second % len(KEYS)]
        waiting, awaited, last = (f"t{number % 5}" for number in op.numbers)
        # The last ones, so that the sets of two clients overlap.
        many = held[-2 - third % 5 :]
        kind = [DependencyType.REQUIRES, DependencyType.BLOCKS, DependencyType.SUGGESTS][
            (third % 5) // 2
        ]
        lease = timedelta(milliseconds=5 if third % 4 == 0 else 60_000)
        retry = [None, timedelta(0), timedelta(0), timedelta(minutes=1)][third % 4]
        ids = {"task_ids": [id for id, _ in many], "tokens": [token for _, token in many]}
        given: dict[str, tuple[Any, dict[str, Any]]] = {
            "create": (tasks.create, {"key": tag, "title": tag, "created_by": tag}),
            "delete": (tasks.delete, {"key": one}),
            "add_dependency": (
                dependencies.add_dependency,
                {
                    "task": waiting,
                    "depends_on": awaited,
                    "dependency_type": kind,
                    "created_by": tag,
                },
            ),
            "add_dependencies": (
                dependencies.add_dependencies,
                {
                    "dependencies": [
                        NewDependency(waiting, awaited, kind, created_by=tag),
                        NewDependency(awaited, last, created_by=tag),
                    ]
                },
            ),
            "remove_dependency": (
                dependencies.remove_dependency,
                {"task": waiting, "depends_on": awaited},
            ),
            "prioritise": (tasks.update, {"key": one, "priority": 1 + third % 10}),
            "update_status": (
                tasks.update_status,
                {
                    "key": one,
                    "status": list(TaskStatus)[second % len(TaskStatus)],
                    "force": third % 3 > 0,
                    "note": tag,
                    "blocked_reason": (
                        "it rains"
                        if list(TaskStatus)[second % len(TaskStatus)] is TaskStatus.BLOCKED
                        else None
                    ),
                },
            ),
            "requeue": (tasks.requeue, {"keys": [one, other], "note": tag}),
            "pause": (pauses.pause, {"agent_type": TYPE}),
            "resume": (pauses.resume, {"agent_type": TYPE}),
            "claim_next": (claims.claim_next, {"agent": tag, "lease": lease}),
            "claim_batch": (
                claims.claim_batch,
                {"agent": tag, "lease": lease, "limit": 1 + second % 3, "agent_type": TYPE},
            ),
            "claim": (claims.claim, {"key": one, "agent": tag, "lease": lease}),
        }
        if op.name in given:
            function, arguments = given[op.name]
        elif not many:
            return None
        else:
            task_id, token = held[-1 - first % min(len(held), 6)]
            pair = {"task_id": task_id, "token": token}
            function, arguments = {
                "heartbeat": (claims.heartbeat, pair),
                "complete": (claims.complete, {**pair, "note": tag}),
                "submit": (claims.submit, {**pair, "note": tag}),
                "fail": (claims.fail, {**pair, "error": tag, "retry_in": retry}),
                "release": (claims.release, {**pair, "note": tag, "retry_in": retry}),
                "complete_and_claim_next": (
                    claims.complete_and_claim_next,
                    {**pair, "note": tag, "agent": tag, "lease": lease},
                ),
                "heartbeat_many": (claims.heartbeat_many, ids),
                "complete_many": (claims.complete_many, ids),
                "fail_many": (claims.fail_many, {**ids, "error": tag, "retry_in": retry}),
                "release_many": (claims.release_many, {**ids, "note": tag, "retry_in": retry}),
            }[op.name]
        event.arguments = arguments
        return event, lambda conn: function(conn, **arguments)


def claims_of(event: Event) -> list[tuple[UUID, int, str]]:
    """Return the claims that an answer brought: task, token, agent."""
    answer = event.answer
    if answer is None:
        return []
    if event.op.name in ("claim_next", "claim"):
        return [(answer.task_id, answer.token, answer.agent)]
    if event.op.name == "claim_batch":
        return [(claim.task_id, claim.token, claim.agent) for claim in answer]
    if event.op.name == "complete_and_claim_next" and answer.claim is not None:
        return [(answer.claim.task_id, answer.claim.token, answer.claim.agent)]
    return []


def endings_of(event: Event) -> list[tuple[UUID, int]]:
    """Return the claims that an answer says were held, and ended, by this call."""
    if event.op.name not in ENDINGS or event.answer is None:
        return []
    if event.op.name.endswith("_many"):
        return [(row.task_id, row.token) for row in event.answer if row.was_held]
    return [(event.arguments["task_id"], event.arguments["token"])]


def renewals_of(event: Event) -> list[tuple[UUID, int]]:
    """Return the claims that an answer says were live, and renewed."""
    if event.op.name == "heartbeat" and event.answer is not None:
        return [(event.arguments["task_id"], event.arguments["token"])]
    if event.op.name == "heartbeat_many" and event.answer is not None:
        return [(row.task_id, row.token) for row in event.answer if row.was_held]
    return []
