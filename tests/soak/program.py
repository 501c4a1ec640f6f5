"""Random concurrent programs: clients, each with blocks, each with calls of the public API.

A block is a transaction at some isolation level that ends with a commit, a rollback or a dropped
connection. Every call carries a tag of its own (as agent, note or author), by which the judge
finds what it did.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from psycopg import IsolationLevel

KEYS: Final = [f"t{number}" for number in range(8)]
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
    "read": 2,
    "edit": 3,
    "change_key": 1,
    "set_limit": 1,
    "create": 2,
    "create_again": 2,
    "create_many": 1,
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
