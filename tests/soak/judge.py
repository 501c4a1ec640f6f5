"""Judging a run by the acknowledged calls: what was promised must be there, and nothing else.

Lost, held twice, stale token accepted, history with a gap or a doubt, a cycle, a count or priority
that is wrong, a deadlock where there can be none: each is a finding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from taskdb.admin import doctor
from taskdb.errors import (
    CircularDependencyError,
    ClaimLostError,
    DatabaseNotFoundError,
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
)
from tests import core_model
from tests.core_model import Entry, State, Task, ViolationError
from tests.soak.program import (
    ENDINGS,
    Event,
    Program,
    World,
    claims_of,
    endings_of,
    renewals_of,
)
from tests.soak.run import is_lost

# The refusals that a caller may get. Anything else is a finding.
REFUSALS: Final = (
    CircularDependencyError,
    ClaimLostError,
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
)

Connection = psycopg.Connection[Any]


def judge(
    conn: Connection, program: Program, world: World, *, disturbed: bool = False
) -> list[str]:
    """Return what is wrong after *program*; nothing, if all promises were kept."""
    court = _Court(conn, world)
    return [
        *court.errors(program, disturbed),
        *court.histories(),
        *court.graph(),
        *court.tags(),
        *court.stale_tokens(),
    ]


def examine(conn: Connection) -> list[str]:
    """Return what `taskdb doctor` finds."""
    return [f"doctor: {one}" for one in doctor.run(conn)]


class _Court:
    def __init__(self, conn: Connection, world: World) -> None:
        self.world = world
        self.events = [event for attempt in world.log for event in attempt.events]
        self.tasks = {
            row[0]: row
            for row in conn.execute(
                b"select task.id, task.key, task.status::text, task.claim_agent, task.claim_token,"
                b" task.open_dependencies, task.effective_priority, task.priority,"
                b" task.completed_at is not null, details.created_by"
                b" from tasks as task join task_details as details on details.task_id = task.id"
            )
        }
        self.keys = {row[1]: row[0] for row in self.tasks.values()}
        self.history: dict[UUID, list[tuple[Entry, str | None]]] = defaultdict(list)
        for id, note, *entry in conn.execute(
            b"select task_id, note, old_status::text, new_status::text, forced, outcome::text,"
            b" token, agent from task_history order by task_id, seq"
        ):
            self.history[id].append((Entry(*entry), note))
        self.edges = {
            (row[0], row[1]): (row[2], row[3])
            for row in conn.execute(
                b"select task.key, blocker.key, dependency_type::text, edge.created_by"
                b" from task_dependencies as edge join tasks as task on task.id = edge.task_id"
                b" join tasks as blocker on blocker.id = edge.depends_on_id"
            )
        }
        # Tasks that may have been deleted, by key.
        self.deleted = {
            event.arguments["key"]
            for event in self.events
            if event.op.name == "delete" and event.kept is not False
        }

    def errors(self, program: Program, disturbed: bool) -> Iterator[str]:
        """Errors that no caller should see."""
        for attempt in self.world.log:
            error = attempt.error
            if error is None or isinstance(error, REFUSALS):
                continue
            collided = isinstance(error, SerializationFailure | DeadlockDetected)
            if collided and attempt.block.retrying:
                yield f"`retrying` gave up: {error!r}"
            elif isinstance(error, DeadlockDetected):
                if program.profile == "workers":
                    yield f"{attempt.block.ops[0].name} took part in a deadlock"
            elif not collided and not (
                disturbed and (is_lost(error) or isinstance(error, DatabaseNotFoundError))
            ):
                yield f"unexpected: {error!r}"

    def histories(self) -> Iterator[str]:
        """Each history is one chain, and ends where its task stands."""
        for id, (_, key, status, agent, token, *_) in self.tasks.items():
            try:
                task = core_model.replay(key, [entry for entry, _ in self.history[id]])
            except ViolationError as wrong:
                yield str(wrong)
                continue
            seen = (status, agent, token)
            if seen != (task.status, task.holder, task.token):
                yield f"{key} is {seen}, by its history {task}"

    def graph(self) -> Iterator[str]:
        """Counts, priorities and cycles, recomputed by the model."""
        state = State(
            {
                row[1]: Task(row[1], 0, priority=row[7], status=row[2], was_completed=row[8])
                for row in self.tasks.values()
            },
            {edge: kind for edge, (kind, _) in self.edges.items()},
        )
        hard = {edge for edge, kind in state.edges.items() if kind != "suggests"}
        if core_model.has_cycle(hard):
            yield f"a cycle: {sorted(hard)}"
            return
        for _, key, status, _, _, count, urgency, *_ in self.tasks.values():
            expected = core_model.open_dependencies(state, key)
            if count != expected:
                yield f"{key} counts {count} open dependencies, and has {expected}"
            if status == "pending" and expected:
                yield f"{key} is pending, and waits for {expected}"
            if urgency != core_model.effective_priority(state, key):
                yield f"{key} has effective priority {urgency}"

    def tags(self) -> Iterator[str]:
        """Yield a finding for each tag lost or repeated, or left by work that was not kept."""
        traces = Counter[str]()
        for entries in self.history.values():
            here = {tag for entry, note in entries for tag in (entry.agent, note) if tag}
            traces.update(here)
            moved = Counter(note for entry, note in entries if note and entry.old is not None)
            for event in self.events:
                if moved[event.tag] > 1 and event.op.name != "complete_and_claim_next":
                    yield f"{event.op.name} {event.tag} moved one task {moved[event.tag]} times"
        traces.update(row[9] for row in self.tasks.values() if row[9])
        traces.update(tag for _, tag in self.edges.values() if tag)
        for event in self.events:
            if event.kept is False and traces[event.tag]:
                yield f"{event.op.name} {event.tag} was not committed, and left a trace"
            elif event.kept:
                yield from self._promises(event)

    def _promises(self, event: Event) -> Iterator[str]:
        for id, token, agent in claims_of(event):
            if id in self.tasks and self._count(id, token, None, agent) != 1:
                yield f"{event.op.name} {event.tag} was told of claim {token}, which is not there"
        for id, token in endings_of(event):
            outcome = ENDINGS[event.op.name]
            if id in self.tasks and self._count(id, token, outcome) != 1:
                yield f"{event.op.name} {event.tag} was told that it ended claim {token}"
        name, given = event.op.name, event.arguments
        if name == "create" and event.tag not in self.keys:
            yield f"create {event.tag} is lost"
        elif name == "delete" and event.answer in self.tasks:
            yield f"delete {event.tag} is lost"
        elif name == "add_dependency":
            yield from self._edge(event, given["task"], given["depends_on"])
        elif name == "add_dependencies":
            for edge in given["dependencies"]:
                yield from self._edge(event, edge.task, edge.depends_on)

    def _count(self, id: UUID, token: int, outcome: str | None, agent: str | None = None) -> int:
        return sum(
            entry.token == token
            and entry.outcome == outcome
            and (agent is None or entry.agent == agent)
            for entry, _ in self.history[id]
        )

    def _edge(self, event: Event, task: str, blocker: str) -> Iterator[str]:
        removed = any(
            other.op.name == "remove_dependency"
            and other.kept is not False
            and (other.arguments["task"], other.arguments["depends_on"]) == (task, blocker)
            for other in self.events
        )
        gone = removed or self.deleted & {task, blocker}
        if not gone and self.edges.get((task, blocker), ("", ""))[1] != event.tag:
            yield f"{event.op.name} {event.tag}: {task} > {blocker} is lost"

    def stale_tokens(self) -> Iterator[str]:
        """A claim whose end was acknowledged is not renewed by a block that began later."""
        died: dict[tuple[UUID, int], float] = {}
        for event in self.events:
            if event.kept:
                ended = endings_of(event)
                ended += [(id, token - 1) for id, token, _ in claims_of(event) if token > 1]
                for pair in ended:
                    died[pair] = min(died.get(pair, 1e99), event.attempt.acknowledged)
        for event in self.events:
            for pair in renewals_of(event):
                if event.attempt.began > died.get(pair, 1e99):
                    yield f"{event.op.name} {event.tag} renewed claim {pair[1]}, which had ended"
