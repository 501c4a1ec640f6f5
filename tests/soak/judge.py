"""Judging a run by the acknowledged calls: what was promised must be there, and nothing else.

Lost, held twice, stale token accepted, too many of a concurrency key, a request answered by a
second claim, a lost update, history with a gap or a doubt, a cycle, a wrong count or priority, a
bound task that outlives its blocker, a deadlock where there can be none: each is a finding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
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
    VersionConflictError,
)
from tests import core_rules
from tests.core_rules import Entry, State, Task, ViolationError
from tests.soak.calls import ENDINGS, KEYED, MOST
from tests.soak.program import Program
from tests.soak.run import is_lost
from tests.soak.world import Event, Pair, World

# The refusals that a caller may get. Anything else is a finding.
REFUSALS: Final = (
    CircularDependencyError,
    ClaimLostError,
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
    VersionConflictError,
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
        *court.bound_tasks(),
        *court.tags(),
        *court.stale_tokens(),
        *court.concurrency_keys(),
        *court.requests(),
        *court.edits(),
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
                b" task.completed_at is not null, details.created_by,"
                b" task.version + details.version, task.title"
                b" from tasks as task join task_details as details on details.task_id = task.id"
            )
        }
        self.keys = {row[1]: row[0] for row in self.tasks.values()}
        self.history: dict[UUID, list[tuple[Entry, str | None]]] = defaultdict(list)
        # When each claim began and ended, by the server's clock.
        self.began: dict[Pair, datetime] = {}
        self.ended: dict[Pair, datetime] = {}
        for id, note, moment, *entry in conn.execute(
            b"select task_id, note, created_at, old_status::text, new_status::text, forced,"
            b" outcome::text, token, agent from task_history order by task_id, seq"
        ):
            made = Entry(*entry)
            self.history[id].append((made, note))
            if made.token is not None:
                moments = self.began if made.outcome is None else self.ended
                moments[id, made.token] = moment
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
        self.state = State(
            {
                row[1]: Task(
                    row[1],
                    0,
                    priority=row[7],
                    status=row[2],
                    was_completed=row[8],
                    history=[entry for entry, _ in self.history[row[0]]],
                )
                for row in self.tasks.values()
            },
            {edge: kind for edge, (kind, _) in self.edges.items()},
        )

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
                    yield (
                        f"{attempt.block.ops[0].name} took part in a deadlock:"
                        f" {error.diag.message_detail} {error.diag.context}"
                    )
            elif not collided and not (
                disturbed and (is_lost(error) or isinstance(error, DatabaseNotFoundError))
            ):
                yield f"unexpected: {error!r}"

    def histories(self) -> Iterator[str]:
        """Each history is one chain, and ends where its task stands."""
        for _, key, status, agent, token, *_ in self.tasks.values():
            try:
                task = core_rules.replay(key, self.state.tasks[key].history)
            except ViolationError as wrong:
                yield str(wrong)
                continue
            seen = (status, agent, token)
            if seen != (task.status, task.holder, task.token):
                yield f"{key} is {seen}, by its history {task}"

    def graph(self) -> Iterator[str]:
        """Counts, priorities and cycles, recomputed by the model."""
        state = self.state
        hard = {edge for edge, kind in state.edges.items() if kind != "suggests"}
        if core_rules.has_cycle(hard):
            yield f"a cycle: {sorted(hard)}"
            return
        for _, key, status, _, _, count, urgency, *_ in self.tasks.values():
            expected = core_rules.open_dependencies(state, key)
            if count != expected:
                yield f"{key} counts {count} open dependencies, and has {expected}"
            if status == "pending" and expected:
                yield f"{key} is pending, and waits for {expected}"
            if urgency != core_rules.effective_priority(state, key):
                yield f"{key} has effective priority {urgency}"

    def bound_tasks(self) -> Iterator[str]:
        """Tasks that end with their blocker, and come back with it."""
        unbound = any(
            event.op.name == "delete" and event.kept is not False for event in self.events
        )
        for key, task in self.state.tasks.items():
            blockers = {
                blocker: core_rules.is_dead(kind, self.state.tasks[blocker])
                for (waiting, blocker), kind in self.state.edges.items()
                if waiting == key and kind in core_rules.BOUND
            }
            # One that somebody reopened is left alone.
            was_reopened = any(entry.old in core_rules.FINISHED for entry in task.history)
            is_waiting = task.status in ("pending", "blocked")
            if is_waiting and not was_reopened and any(blockers.values()):
                yield f"{key} is {task.status}, and bound to what has ended: {blockers}"
            last = task.history[-1]
            was_bound = (last.new, last.agent) == ("cancelled", "taskdb")
            if was_bound and not unbound and not any(blockers.values()):
                yield f"{key} ended with its blocker, which is open again: {blockers}"

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
        for id, token, agent in event.claims:
            if id in self.tasks and self._count(id, token, None, agent) != 1:
                yield f"{event.op.name} {event.tag} was told of claim {token}, which is not there"
        for id, token in event.endings:
            outcome = ENDINGS[event.op.name]
            if id in self.tasks and self._count(id, token, outcome) != 1:
                yield f"{event.op.name} {event.tag} was told that it ended claim {token}"
        name, given = event.op.name, event.arguments
        if name == "create" and event.tag not in self.keys:
            yield f"create {event.tag} is lost"
        elif name == "create_again" and event.answer.id not in self.tasks:
            yield f"create {event.tag} was told of a task that is not there"
        elif name == "create_many" and not self.tasks.keys() >= set(event.answer.ids):
            yield f"create_many {event.tag} is lost"
        elif name == "delete" and event.answer in self.tasks:
            yield f"delete {event.tag} is lost"
        elif name == "add_dependency":
            yield from self._edge(event, given["task"], given["depends_on"])
        for edge in given.get("dependencies", ()):
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
                ended = event.endings
                ended += [(id, token - 1) for id, token, _ in event.claims if token > 1]
                for pair in ended:
                    died[pair] = min(died.get(pair, 1e99), event.attempt.acknowledged)
        for event in self.events:
            for pair in event.renewals:
                if event.attempt.began > died.get(pair, 1e99):
                    yield f"{event.op.name} {event.tag} renewed claim {pair[1]}, which had ended"

    def concurrency_keys(self) -> Iterator[str]:
        """Yield a finding for each claim that began while too many of its key were held.

        A slot is free when the ending that gives it back has been committed, and a claim has its
        slot when it begins: so the intervals, by the server's clock, may not overlap too often.
        """
        held = [
            (moment, self.ended.get(pair))
            for pair, moment in self.began.items()
            if pair[0] in self.tasks and self.tasks[pair[0]][1] in KEYED
        ]
        for moment, _ in held:
            count = sum(began <= moment and (end is None or end > moment) for began, end in held)
            if count > MOST:
                yield f"{count} tasks of one key were in progress at {moment}"

    def requests(self) -> Iterator[str]:
        """Yield a finding for each request that got a second claim while its first one was live.

        The first was live in the snapshot of a block that began after its answer, and was over
        before the block of the call that ended it began. Moments of history do not tell: a claim
        has that of its trigger, which may wait for a slot until another claim of the request has
        come and gone.
        """
        answered = [
            (event, event.claims[-1][:2])
            for event in self.events
            if event.kept and event.arguments.get("request_id") and event.claims
        ]
        ending: dict[Pair, float] = {}
        for event in self.events:
            if event.kept is not False:
                for pair in event.endings:
                    ending[pair] = min(ending.get(pair, 1e99), event.attempt.began)
        for event, pair in answered:
            for earlier, first in answered:
                if (
                    event.arguments["request_id"] == earlier.arguments["request_id"]
                    and pair != first
                    and event.attempt.began > earlier.attempt.acknowledged
                    and {pair, first} <= self.began.keys()
                    and self.began[pair] > self.began[first]
                    and (
                        first not in self.ended or ending.get(first, 0) > event.attempt.acknowledged
                    )
                ):
                    yield f"{event.op.name} {event.tag} got {pair}, beside the live claim {first}"

    def edits(self) -> Iterator[str]:
        """Yield a finding for each edit of a version that another edit had changed, or was lost."""
        seen: dict[tuple[UUID, int], str] = {}
        for event in self.events:
            if event.op.name != "edit" or not event.kept:
                continue
            edited = (event.answer.id, event.arguments["if_version"])
            if edited in seen:
                yield f"edit {event.tag} overwrote edit {seen[edited]} of the same version"
            seen[edited] = event.tag
            _, expected = edited
            if event.answer.version != expected + 1:
                yield f"edit {event.tag} of version {expected} made version {event.answer.version}"
            if event.answer.id in self.tasks:
                version, title = self.tasks[event.answer.id][10:]
                is_last = version == event.answer.version
                if version < event.answer.version or (is_last and title != event.tag):
                    yield f"edit {event.tag} is lost"
