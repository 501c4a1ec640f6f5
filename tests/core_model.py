"""A reference model of the task core in plain Python: `(state, request, now) -> (state, answer)`.

It knows tasks, dependencies, transitions, claims with leases and requests, concurrency keys,
back-offs, endings and pauses, and says what each call answers and leaves behind. It shares no code
with taskdb: docs/decisions/0018-task-core.md, 0031, 0032 and DESIGN.md are its sources.

The model leaves two things to the database, is told of them, and refuses what cannot be: which
overdue claims a claiming call ended (`lapsed`), and the random part of a back-off (`drawn`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.core_rules import (
    ALLOWED,
    BOUND,
    FINISHED,
    Entry,
    State,
    Task,
    ViolationError,
    effective_priority,
    has_cycle,
    has_slot,
    is_dead,
    is_held,
    is_ready,
    open_dependencies,
    promises,
    running,
)


class RefusedError(Exception):
    """The error that the request must end with, by the name of its class."""


@dataclass(frozen=True)
class Request:
    """A call of the public API, by the name of its function."""

    name: str
    arguments: dict[str, Any]

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({given})"


Answer: TypeAlias = Any
Pair: TypeAlias = tuple[str, int]
Edge: TypeAlias = tuple[str, str, str]


def step(
    state: State, request: Request, now: float, lapsed: frozenset[str] = frozenset()
) -> tuple[State, Answer]:
    """Return the state after *request*, and its answer; the name of an error if it is refused.

    A claim's answer is the list of (key, token) that the database chose: they come in as the
    argument `chosen` and are judged here. Raises `ViolationError` where they are wrong.
    """
    after = copy.deepcopy(state)
    core = _Core(after, now, lapsed)
    try:
        answer = getattr(core, request.name)(**request.arguments)
    except RefusedError as refused:
        after, answer = state, str(refused)
    if core.lapsed:
        raise ViolationError(f"{request} ended the claims of {sorted(core.lapsed)}")
    return after, answer


class _Core:
    """The calls, on a state that they change."""

    def __init__(self, state: State, now: float, lapsed: frozenset[str]) -> None:
        self.state = state
        self.now = now
        self.lapsed = lapsed
        # Changes whose effects on other tasks come at the end of the statement.
        self.deferred: list[tuple[Task, list[bool]]] | None = None

    # Planning

    def create(self, key: str, if_exists: str | None = None, **given: Any) -> Answer:
        if key in self.state.tasks and if_exists == "return":
            return self.state.tasks[key].status
        return self._create(key, given).status

    def create_many(self, tasks: list[dict[str, Any]], edges: list[Edge]) -> Answer:
        known = {*self.state.tasks, *(given["key"] for given in tasks)}
        if not known.issuperset(key for edge in edges for key in edge[:2]):
            raise RefusedError("NotFoundError")
        new = [self._create(given["key"], given) for given in tasks]
        self._add_edges(edges)
        for task in new:
            # A task that this very call blocks is created blocked; its end is a transition.
            last = task.history[-1]
            ended = [last] if last.new == "cancelled" else []
            task.history = [Entry(None, last.old if last.old and ended else last.new), *ended]
        return [task.status for task in new]

    def delete(self, key: str) -> Answer:
        self._task(key)
        waiting = [task for task, blocker in self.state.edges if blocker == key]
        del self.state.tasks[key]
        self.state.edges = {
            edge: kind for edge, kind in self.state.edges.items() if key not in edge
        }
        for task in waiting:
            self._settle(self.state.tasks[task])
        return None

    def add_dependency(self, task: str, depends_on: str, dependency_type: str) -> Answer:
        self.add_dependencies([(task, depends_on, dependency_type)])

    def add_dependencies(self, edges: list[Edge]) -> Answer:
        for task, depends_on, _ in edges:
            self._task(task)
            self._task(depends_on)
        self._add_edges(edges)

    def remove_dependency(self, task: str, depends_on: str) -> Answer:
        if (kind := self.state.edges.pop((task, depends_on), None)) is None:
            raise RefusedError("NotFoundError")
        self._settle(self.state.tasks[task])
        if kind in BOUND:
            self._take_up_again(self.state.tasks[task])

    def update(self, key: str, if_version: int | None = None, **changes: Any) -> Answer:
        task = self._task(key)
        if if_version not in (None, task.edits):
            raise RefusedError("VersionConflictError")
        task.edits += 1
        wanted = changes.get("concurrency_key", task.concurrency_key)
        is_moved = task.status == "in_progress" and wanted != task.concurrency_key
        if is_moved and not has_slot(self.state, wanted):
            raise RefusedError("IntegrityError")
        for name, value in changes.items():
            setattr(task, name, value)
        self._settle(task)

    def update_status(self, key: str, status: str, force: bool, reason: str | None) -> Answer:
        task = self._task(key)
        return self._change(task, status, forced=force, reason=reason or task.reason)

    def requeue(self, keys: list[str]) -> Answer:
        found = [self.state.tasks[key] for key in sorted(set(keys)) if key in self.state.tasks]
        failed = [task for task in found if task.status == "failed"]

        def reopen(task: Task) -> None:
            task.scheduled = None
            self._change(task, "pending", forced=True)

        self._at_once(failed, reopen)
        return [task.key for task in failed]

    def pause(self, agent_type: str | None) -> Answer:
        self.state.pauses.add(agent_type)

    def resume(self, agent_type: str | None) -> Answer:
        found = agent_type in self.state.pauses
        self.state.pauses.discard(agent_type)
        return int(found)

    def set_limit(self, key: str, at_most: int) -> Answer:
        self.state.limits[key] = at_most
        return (at_most, running(self.state, key))

    # Claims

    def claim_next(self, request: int | None, **given: Any) -> Answer:
        for task in self.state.tasks.values():
            if request is not None and task.request == request:
                return [(task.key, task.token)]
        answer = self.claim_batch(limit=1, **given)
        for key, _ in answer:
            self.state.tasks[key].request = request
        return answer

    def claim_batch(
        self,
        agent: str,
        agent_type: str | None,
        limit: int,
        lease: float,
        chosen: list[Pair],
    ) -> Answer:
        self._lapse()
        line = sorted(
            (task for task in self.state.tasks.values() if self._may_take(task, agent, agent_type)),
            key=self._place,
        )
        taken = [self._task(key) for key, _ in chosen]
        if len(taken) > limit:
            raise ViolationError(f"claimed {len(taken)}, asked for {limit}")
        if sorted(taken, key=self._place) != taken:
            raise ViolationError(f"claimed out of order: {chosen}")
        places = {task.key: self._place(task) for task in line}
        for task in taken:
            if task not in line or not has_slot(self.state, task.concurrency_key):
                raise ViolationError(f"{task.key} was claimed, and could not be: {task}")
            line.remove(task)
            self._begin(task, agent, lease)
        self._judge_left(
            [task for task in line if has_slot(self.state, task.concurrency_key)], taken, limit
        )
        for task in line:
            for other in taken:
                same = task.concurrency_key == other.concurrency_key
                if same and places[task.key] < places[other.key] and task.scheduled is None:
                    raise ViolationError(f"claimed {other.key}, and passed {task.key} over")
        return [(task.key, task.token) for task in taken]

    def _judge_left(self, left: list[Task], taken: list[Task], limit: int) -> None:
        """Judge that the tasks *left* could be left: one of a key may wait for the next claim."""
        certain = [task for task in left if task.concurrency_key is None or not taken]
        if len(taken) < limit and certain:
            raise ViolationError(f"claimed {len(taken)}, and left {[task.key for task in certain]}")

    def claim(self, key: str, agent: str, lease: float, request: int | None) -> Answer:
        for task in self.state.tasks.values():
            if request is not None and task.request == request:
                return (task.key, task.token)
        self._lapse()
        found = self.state.tasks.get(key)
        if found is None or not self._may_take(found, agent, None):
            return None
        if not has_slot(self.state, found.concurrency_key):
            return None
        self._begin(found, agent, lease)
        found.request = request
        return (found.key, found.token)

    def heartbeat(self, key: str, token: int, lease: float) -> Answer:
        if self.heartbeat_many([(key, token)], lease) == [False]:
            raise RefusedError("ClaimLostError")

    def heartbeat_many(self, pairs: list[Pair], lease: float) -> Answer:
        for task in self._held(pairs):
            task.lease = self.now + lease
        return [bool(self._held([pair])) for pair in pairs]

    def complete(self, key: str, token: int) -> Answer:
        return self._one(self.complete_many([(key, token)]))

    def complete_many(self, pairs: list[Pair]) -> Answer:
        return self._end(pairs, "completed", "completed")

    def complete_and_claim_next(self, key: str, token: int, **given: Any) -> Answer:
        return (self.complete(key, token), self.claim_next(**given))

    def submit(self, key: str, token: int) -> Answer:
        return self._one(self._end([(key, token)], "submitted", "in_review"))

    def fail(self, key: str, token: int, **given: Any) -> Answer:
        return self._one(self.fail_many([(key, token)], **given))

    def fail_many(self, pairs: list[Pair], drawn: dict[str, float | None], **given: Any) -> Answer:
        return self._end(
            pairs, "failed", "failed", lambda task: self._pause(task, drawn.get(task.key), given)
        )

    def release(self, key: str, token: int, retry_in: float | None) -> Answer:
        return self._one(self.release_many([(key, token)], retry_in))

    def release_many(self, pairs: list[Pair], retry_in: float | None) -> Answer:
        return self._end(pairs, "released", "pending", lambda task: retry_in)

    # Parts of the model

    def _task(self, key: str) -> Task:
        if key not in self.state.tasks:
            raise RefusedError("NotFoundError")
        return self.state.tasks[key]

    def _create(self, key: str, given: dict[str, Any]) -> Task:
        if key in self.state.tasks:
            raise RefusedError("IntegrityError")
        self.state.made += 1
        task = Task(number=self.state.made, **{**given, "key": key})
        task.history.append(Entry(None, task.status))
        self.state.tasks[key] = task
        return task

    def _add_edges(self, edges: list[Edge]) -> None:
        for task, depends_on, kind in edges:
            if task == depends_on:
                raise RefusedError("CircularDependencyError")
            if (task, depends_on) in self.state.edges:
                raise RefusedError("IntegrityError")
            self.state.edges[task, depends_on] = kind
        if has_cycle({edge for edge, kind in self.state.edges.items() if kind != "suggests"}):
            raise RefusedError("CircularDependencyError")
        for task, _, _ in edges:
            self._settle(self.state.tasks[task])
        for _, depends_on, kind in edges:
            if kind in BOUND and is_dead(kind, self.state.tasks[depends_on]):
                self._follow(self.state.tasks[depends_on])

    def _place(self, task: Task) -> tuple[int, int]:
        return effective_priority(self.state, task.key), task.number

    def _may_take(self, task: Task, agent: str, agent_type: str | None) -> bool:
        return (
            is_ready(self.state, task, self.now)
            and task.assigned in (None, agent)
            and (agent_type is None or task.agent_type in (None, agent_type))
        )

    def _held(self, pairs: list[Pair]) -> list[Task]:
        """Return the tasks whose live claims are among *pairs*, each once."""
        return [
            task
            for task in self.state.tasks.values()
            if task.holder is not None and (task.key, task.token) in pairs
        ]

    def _lapse(self) -> None:
        """End the claims that the database ended, whose leases must be over."""
        tasks = [self.state.tasks[key] for key in sorted(self.lapsed)]
        for task in tasks:
            if task.holder is None or task.lease is None or task.lease > self.now:
                raise ViolationError(f"the claim of {task.key} ended, and its lease was not over")
        self._at_once(
            tasks, lambda task: self._change(task, "pending", outcome="lapsed", agent="taskdb")
        )
        self.lapsed = frozenset()

    def _pause(self, task: Task, drawn: float | None, given: dict[str, Any]) -> float | None:
        """Return how long a task waits after a failure; None: for good."""
        otherwise: float | None = given.get("retry_in", given.get("default_retry_in"))
        if "retry_in" in given or task.retry_delay is None:
            return otherwise
        # Twice as long after each further failure; at least half of that, but for this program.
        whole = min(task.retry_delay * 2**task.failed_attempts, task.max_retry_delay)
        if drawn is None or not whole / 2 - 5 <= drawn <= whole:
            raise ViolationError(f"{task.key} waits for {drawn} s, of {whole} s")
        return drawn

    def _begin(self, task: Task, agent: str, lease: float) -> None:
        task.token += 1
        task.holder = agent
        task.lease = self.now + lease
        self._record(task, "in_progress", forced=False, token=task.token, agent=agent)

    def _end(
        self,
        pairs: list[Pair],
        outcome: str,
        status: str,
        pause: Callable[[Task], float | None] = lambda task: None,
    ) -> list[str | None]:
        """End claims in one statement; return the status of each, None for one that was lost.

        Repeated, as after a lost answer, it returns the same.
        """

        def end(task: Task) -> None:
            wait = pause(task)
            if wait is not None:
                task.scheduled = self.now + wait
            landing = status if wait is None else "pending"
            self._change(task, landing, outcome=outcome, agent=task.holder)

        self._at_once(self._held(pairs), end)
        return [
            next(
                (
                    entry.new
                    for entry in (self.state.tasks[key].history if key in self.state.tasks else ())
                    if (entry.token, entry.outcome) == (token, outcome)
                ),
                None,
            )
            for key, token in pairs
        ]

    def _one(self, answers: list[str | None]) -> str:
        if answers[0] is None:
            raise RefusedError("ClaimLostError")
        return answers[0]

    def _at_once(self, tasks: list[Task], change: Callable[[Task], object]) -> None:
        """Change tasks in one statement: what this does to others comes after all of them."""
        self.deferred = []
        for task in tasks:
            change(task)
        changed, self.deferred = self.deferred, None
        for task, before in changed:
            self._pass_on(task, before)

    def _change(
        self,
        task: Task,
        status: str,
        *,
        forced: bool = False,
        outcome: str | None = None,
        reason: str | None = None,
        agent: str | None = None,
    ) -> str:
        """Change *task*'s status; the new one depends on its dependencies and attempts."""
        old, old_reason = task.status, task.reason
        ended = None
        if task.holder is not None and status != "in_progress":
            ended = outcome if outcome != "completed" or status == "completed" else "revoked"
            ended = ended or "revoked"
        if ended in ("failed", "lapsed"):
            task.failed_attempts += 1
        if old in FINISHED and status not in FINISHED:
            task.failed_attempts = 0
        if old == "blocked" and status == "pending" and reason == old_reason:
            reason = None
        if status in ("pending", "blocked"):
            status, forced = self._landing(task, status, forced, reason)
        if status != "blocked" and reason is not None:
            if reason != old_reason:
                raise RefusedError("ValidationError")
            reason = None
        starts = status == "in_progress" != old
        if starts and not has_slot(self.state, task.concurrency_key):
            raise RefusedError("IntegrityError")
        if status != old and not forced and status not in ALLOWED[old]:
            raise RefusedError("InvalidTransitionError")
        task.reason = reason
        if status == old:
            return status
        token = task.token if ended is not None else None
        if status != "in_progress" or task.holder is None:
            task.holder = task.lease = task.request = None
        self._record(task, status, forced=forced, outcome=ended, token=token, agent=agent)
        return status

    def _landing(
        self, task: Task, status: str, forced: bool, reason: str | None
    ) -> tuple[str, bool]:
        """Return where a task lands that is to be pending or blocked, and whether by force."""
        count = open_dependencies(self.state, task.key)
        if task.failed_attempts >= max(task.max_attempts, 1):
            return "failed", forced or task.status in ("pending", "blocked")
        if status == "pending" and count:
            return "blocked", forced
        if status == "blocked" and not count and reason is None:
            return "pending", forced
        return status, forced

    def _record(self, task: Task, status: str, **entry: Any) -> None:
        before = promises(task)
        task.history.append(Entry(task.status, status, **entry))
        task.status = status
        task.was_completed = status == "completed" or (status == "archived" and task.was_completed)
        if self.deferred is None:
            self._pass_on(task, before)
        else:
            self.deferred.append((task, before))

    def _pass_on(self, task: Task, before: list[bool]) -> None:
        """Pass a change on to what waits for *task*; end it if it waits for a dead blocker."""
        was_begun = task.history[-1].old in ("in_progress", "in_review")
        if was_begun and task.status == "blocked" and is_held(self.state, task.key):
            self._change(task, "cancelled", agent="taskdb")
        for waiting, blocker in list(self.state.edges):
            if blocker == task.key:
                self._settle(self.state.tasks[waiting])
        if before != promises(task):
            self._follow(task)

    def _follow(self, blocker: Task) -> None:
        """End what is bound to a task, or take it up again."""
        for (key, other), kind in list(self.state.edges.items()):
            task = self.state.tasks[key]
            if other != blocker.key or kind not in BOUND:
                continue
            if is_dead(kind, blocker):
                if task.status in ("pending", "blocked"):
                    self._change(task, "cancelled", agent="taskdb")
            else:
                self._take_up_again(task)

    def _take_up_again(self, task: Task) -> None:
        """Open a task that ended with a blocker, unless it is bound to a dead one."""
        ended_so = task.status == "cancelled" and task.history[-1].agent == "taskdb"
        if ended_so and not is_held(self.state, task.key):
            self._change(task, "pending", forced=True, agent="taskdb")

    def _settle(self, task: Task) -> None:
        """Set a task that is pending or blocked to the one that its dependencies demand."""
        if task.status in ("pending", "blocked"):
            self._change(task, task.status, reason=task.reason, agent="taskdb")
