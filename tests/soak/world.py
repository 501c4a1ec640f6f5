"""The log of a program: its calls, their answers, and the claims that those promise."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

from tests.soak.calls import ENDINGS, Call, claiming, holding, planning
from tests.soak.program import Block, Op

Pair: TypeAlias = tuple[UUID, int]


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

    @property
    def claims(self) -> list[tuple[UUID, int, str]]:
        """Return the claims that the answer brought: task, token, agent."""
        answer = self.answer
        if answer is None:
            return []
        if self.op.name in ("claim_next", "claim"):
            return [(answer.task_id, answer.token, answer.agent)]
        if self.op.name == "claim_batch":
            return [(claim.task_id, claim.token, claim.agent) for claim in answer]
        if self.op.name == "complete_and_claim_next" and answer.claim is not None:
            return [(answer.claim.task_id, answer.claim.token, answer.claim.agent)]
        return []

    @property
    def endings(self) -> list[Pair]:
        """Return the claims that the answer says were held, and ended, by this call."""
        if self.op.name not in ENDINGS or self.answer is None:
            return []
        if self.op.name.endswith("_many"):
            return [(row.task_id, row.token) for row in self.answer if row.was_held]
        return [(self.arguments["task_id"], self.arguments["token"])]

    @property
    def renewals(self) -> list[Pair]:
        """Return the claims that the answer says were live, and renewed."""
        if self.op.name == "heartbeat" and self.answer is not None:
            return [(self.arguments["task_id"], self.arguments["token"])]
        if self.op.name == "heartbeat_many" and self.answer is not None:
            return [(row.task_id, row.token) for row in self.answer if row.was_held]
        return []


class World:
    """State shared by the clients of one run: the claims they were told of, and the log."""

    def __init__(self) -> None:
        self.log: list[Attempt] = []
        self._claims: list[Pair] = []
        # The version of a task that somebody read last.
        self._versions: dict[str, int] = {}
        self._lock = threading.Lock()

    def begin(self, block: Block, now: float) -> Attempt:
        with self._lock:
            attempt = Attempt(block, now)
            self.log.append(attempt)
        return attempt

    def learn(self, event: Event) -> None:
        """Remember the claims and the version of an answer, for any client to use."""
        with self._lock:
            self._claims += [(task_id, token) for task_id, token, _ in event.claims]
            if event.op.name in ("read", "edit"):
                self._versions[event.answer.key] = event.answer.version

    def call(self, op: Op, tag: str, attempt: Attempt) -> tuple[Event, Call] | None:
        """Return the call that *op* stands for now; None where it needs a claim and none is."""
        with self._lock:
            held, versions = list(self._claims), dict(self._versions)
        found = planning(op, tag, versions) or claiming(op, tag)
        if found is None and not held:
            return None
        function, arguments = found or holding(op, tag, held)
        return Event(tag, op, attempt, arguments), lambda conn: function(conn, **arguments)
