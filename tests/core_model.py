"""A reference model of the task core in plain Python: `(state, request, now) -> (state, answer)`.

It knows tasks, dependencies, transitions, claims with leases, endings and pauses, and says what
each call answers and leaves behind. It shares no code with taskdb: docs/decisions/0018-task-core.md
and DESIGN.md are its sources. Everything is recomputed from the whole state, however slow.

One thing the model leaves to the database: how many overdue claims one claim call ends. It is told
which it were (`lapsed`), and refuses those whose lease was not over.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

FINISHED: Final = {"completed", "failed", "cancelled", "archived"}
ALLOWED: Final = {
    "pending": {"blocked", "in_progress", "cancelled"},
    "blocked": {"pending", "cancelled"},
    "in_progress": {"pending", "blocked", "in_review", "completed", "failed", "cancelled"},
    "in_review": {"in_progress", "pending", "blocked", "completed", "failed", "cancelled"},
    "completed": {"archived"},
    "failed": {"archived", "cancelled"},
    "cancelled": {"archived"},
    "archived": set[str](),
}
OUTCOMES: Final = {"complete": "completed", "submit": "submitted", "fail": "failed"}


class RefusedError(Exception):
    """The error that the request must end with, by the name of its class."""


class ViolationError(AssertionError):
    """The database did what the model forbids."""


@dataclass
class Entry:
    """One row of history."""

    old: str | None
    new: str
    forced: bool = False
    outcome: str | None = None
    token: int | None = None
    agent: str | None = None


@dataclass
class Task:
    """A task as the core sees it. `number` is its place in the order of creation."""

    key: str
    number: int
    priority: int = 5
    agent_type: str | None = None
    assigned: str | None = None
    max_attempts: int = 10
    status: str = "pending"
    reason: str | None = None
    holder: str | None = None
    token: int = 0
    lease: float | None = None
    scheduled: float | None = None
    failed_attempts: int = 0
    was_completed: bool = False
    history: list[Entry] = field(default_factory=list)


@dataclass
class State:
    """Everything. `edges` maps (task, blocker) to the type; `pauses` holds agent types, or None."""

    tasks: dict[str, Task] = field(default_factory=dict)
    edges: dict[tuple[str, str], str] = field(default_factory=dict)
    pauses: set[str | None] = field(default_factory=set)
    made: int = 0


@dataclass(frozen=True)
class Request:
    """A call of the public API, by the name of its function."""

    name: str
    arguments: dict[str, Any]

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({given})"


Answer: TypeAlias = Any


def step(
    state: State, request: Request, now: float, lapsed: frozenset[str] = frozenset()
) -> tuple[State, Answer]:
    """Return the state after *request*, and its answer; the name of an error if it is refused.

    A claim's answer is the list of (key, token) that the database chose: they come in as the
    argument `chosen` and are judged here. Raises `ViolationError` where they are wrong.
    """
    after = copy.deepcopy(state)
    core = _Core(after, now)
    try:
        core.lapse(lapsed)
        answer = getattr(core, request.name)(**request.arguments)
    except RefusedError as refused:
        return state, str(refused)
    return after, answer


def is_satisfied(kind: str, blocker: Task) -> bool:
    """Tell whether a dependency of this type no longer holds its task back."""
    done = blocker.status == "completed" or (blocker.status == "archived" and blocker.was_completed)
    if kind in ("requires", "cancelled_with"):
        return done
    if kind == "compensates":
        return blocker.status == "failed"
    return kind == "suggests" or blocker.status in ("completed", "cancelled", "archived")


BOUND: Final = ("cancelled_with", "compensates")


def is_dead(kind: str, blocker: Task) -> bool:
    """Tell whether a bound task's dependency is over, and not as it asks."""
    ended = blocker.status in FINISHED
    return ended and not is_satisfied(kind, blocker)


def open_dependencies(state: State, key: str) -> int:
    """Count the unsatisfied dependencies of a task."""
    return sum(
        task == key and not is_satisfied(kind, state.tasks[blocker])
        for (task, blocker), kind in state.edges.items()
    )


def effective_priority(state: State, key: str) -> int:
    """Return the most urgent priority of a task and of the active tasks that wait for it."""
    waiting = [
        effective_priority(state, task)
        for (task, blocker), kind in state.edges.items()
        if blocker == key and kind != "suggests" and _is_active(state.tasks[task])
    ]
    return min([state.tasks[key].priority, *waiting])


def is_paused(state: State, task: Task) -> bool:
    """Tell whether claiming is paused for a task."""
    return None in state.pauses or (task.agent_type is not None and task.agent_type in state.pauses)


def is_ready(state: State, task: Task, now: float) -> bool:
    """Tell whether a task can be claimed."""
    due = task.scheduled is None or task.scheduled <= now
    return task.status == "pending" and due and not is_paused(state, task)


def has_cycle(edges: set[tuple[str, str]]) -> bool:
    """Tell whether edges (task, blocker) close a cycle, by taking off tasks that wait for none."""
    left = set(edges)
    while left:
        waiting = {task for task, _ in left}
        kept = {(task, blocker) for task, blocker in left if blocker in waiting}
        if kept == left:
            return True
        left = kept
    return False


def _is_active(task: Task) -> bool:
    return not (
        task.status == "cancelled" or (task.status == "archived" and not task.was_completed)
    )


class _Core:
    """The calls, on a state that they change."""

    def __init__(self, state: State, now: float) -> None:
        self.state = state
        self.now = now

    # Planning

    def create(self, key: str, **given: Any) -> Answer:
        if key in self.state.tasks:
            raise RefusedError("IntegrityError")
        self.state.made += 1
        task = Task(key, self.state.made, **given)
        self.state.tasks[key] = task
        task.history.append(Entry(None, task.status))
        return task.status

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
        waiting = self._task(task)
        self._task(depends_on)
        if task == depends_on:
            raise RefusedError("CircularDependencyError")
        if (task, depends_on) in self.state.edges:
            raise RefusedError("IntegrityError")
        self.state.edges[task, depends_on] = dependency_type
        hard = {edge for edge, kind in self.state.edges.items() if kind != "suggests"}
        if has_cycle(hard):
            raise RefusedError("CircularDependencyError")
        self._settle(waiting)
        self._follow(self.state.tasks[depends_on])
        return None

    def remove_dependency(self, task: str, depends_on: str) -> Answer:
        if self.state.edges.pop((task, depends_on), None) is None:
            raise RefusedError("NotFoundError")
        self._settle(self.state.tasks[task])
        return None

    def prioritise(self, key: str, priority: int) -> Answer:
        self._task(key).priority = priority
        return None

    def update_status(self, key: str, status: str, force: bool, reason: str | None) -> Answer:
        task = self._task(key)
        return self._change(task, status, forced=force, reason=reason or task.reason)

    def requeue(self, keys: list[str]) -> Answer:
        found = [self.state.tasks[key] for key in sorted(set(keys)) if key in self.state.tasks]
        failed = [task for task in found if task.status == "failed"]
        for task in failed:
            task.scheduled = None
            self._change(task, "pending", forced=True)
        return [(task.key, task.status) for task in failed]

    def pause(self, agent_type: str | None) -> Answer:
        self.state.pauses.add(agent_type)
        return None

    def resume(self, agent_type: str | None) -> Answer:
        found = agent_type in self.state.pauses
        self.state.pauses.discard(agent_type)
        return int(found)

    # Claims

    def lapse(self, keys: frozenset[str]) -> None:
        """End the claims of *keys*, whose leases must be over."""
        for key in sorted(keys):
            task = self.state.tasks[key]
            if task.holder is None or task.lease is None or task.lease > self.now:
                raise ViolationError(f"the claim of {key} was ended, and its lease was not over")
            self._change(task, "pending", outcome="lapsed", agent="taskdb")

    def claim_batch(
        self,
        agent: str,
        agent_type: str | None,
        limit: int,
        lease: float,
        chosen: list[tuple[str, int]],
    ) -> Answer:
        line = sorted(
            (task for task in self.state.tasks.values() if self._may_take(task, agent, agent_type)),
            key=self._place,
        )
        taken = [self._task(key) for key, _ in chosen]
        for task in taken:
            if task not in line:
                raise ViolationError(f"{task.key} was claimed, and could not be: {task}")
        if sorted(taken, key=self._place) != taken:
            raise ViolationError(f"claimed out of order: {chosen}")
        # Tasks due but not marked so may be passed over while others are ready.
        certain = [task for task in line if task.scheduled is None]
        if len(chosen) < limit and set(chosen_keys := [t.key for t in taken]) != {
            task.key for task in line
        }:
            raise ViolationError(f"claimed {chosen_keys}, where {[t.key for t in line]} were ready")
        for task in certain:
            if taken and task not in taken and self._place(task) < self._place(taken[-1]):
                raise ViolationError(f"claimed {chosen}, and passed {task.key} over")
        if len(taken) > limit:
            raise ViolationError(f"claimed {len(taken)}, asked for {limit}")
        for task in taken:
            self._begin(task, agent, lease)
        return [(task.key, task.token) for task in taken]

    def claim(self, key: str, agent: str, lease: float) -> Answer:
        task = self.state.tasks.get(key)
        if task is None or not self._may_take(task, agent, None):
            return None
        self._begin(task, agent, lease)
        return (task.key, task.token)

    def heartbeat(self, key: str, token: int, lease: float) -> Answer:
        self._held(key, token).lease = self.now + lease
        return None

    def complete(self, key: str, token: int) -> Answer:
        return self._end(key, token, "completed", "completed")

    def submit(self, key: str, token: int) -> Answer:
        return self._end(key, token, "submitted", "in_review")

    def fail(self, key: str, token: int, retry_in: float | None) -> Answer:
        return self._end(
            key, token, "failed", "failed" if retry_in is None else "pending", retry_in
        )

    def release(self, key: str, token: int, retry_in: float | None) -> Answer:
        return self._end(key, token, "released", "pending", retry_in)

    # Parts of the model

    def _task(self, key: str) -> Task:
        if key not in self.state.tasks:
            raise RefusedError("NotFoundError")
        return self.state.tasks[key]

    def _place(self, task: Task) -> tuple[int, int]:
        return effective_priority(self.state, task.key), task.number

    def _may_take(self, task: Task, agent: str, agent_type: str | None) -> bool:
        return (
            is_ready(self.state, task, self.now)
            and task.assigned in (None, agent)
            and (agent_type is None or task.agent_type in (None, agent_type))
        )

    def _held(self, key: str, token: int) -> Task:
        task = self.state.tasks.get(key)
        if task is None or task.holder is None or task.token != token:
            raise RefusedError("ClaimLostError")
        return task

    def _begin(self, task: Task, agent: str, lease: float) -> None:
        task.token += 1
        task.holder = agent
        task.lease = self.now + lease
        self._record(task, "in_progress", forced=False, token=task.token, agent=agent)

    def _end(
        self, key: str, token: int, outcome: str, status: str, retry_in: float | None = None
    ) -> Answer:
        try:
            task = self._held(key, token)
        except RefusedError:
            # Repeated, as after a lost answer.
            for entry in self.state.tasks[key].history if key in self.state.tasks else ():
                if (entry.token, entry.outcome) == (token, outcome):
                    return entry.new
            raise
        if retry_in is not None:
            task.scheduled = self.now + retry_in
        return self._change(task, status, outcome=outcome, agent=task.holder)

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
        if status != old and not forced and status not in ALLOWED[old]:
            raise RefusedError("InvalidTransitionError")
        task.reason = reason
        if status == old:
            return status
        token = task.token if ended is not None else None
        if status != "in_progress" or task.holder is None:
            task.holder = task.lease = None
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
        task.history.append(Entry(task.status, status, **entry))
        task.status = status
        task.was_completed = status == "completed" or (status == "archived" and task.was_completed)
        for waiting, blocker in list(self.state.edges):
            if blocker == task.key:
                self._settle(self.state.tasks[waiting])
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
            elif task.status == "cancelled" and task.history[-1].agent == "taskdb":
                edges = [(at, of) for (who, at), of in self.state.edges.items() if who == key]
                if not any(of in BOUND and is_dead(of, self.state.tasks[at]) for at, of in edges):
                    self._change(task, "pending", forced=True, agent="taskdb")

    def _settle(self, task: Task) -> None:
        """Set a task that is pending or blocked to the one that its dependencies demand."""
        if task.status in ("pending", "blocked"):
            self._change(task, task.status, reason=task.reason, agent="taskdb")


# Rules of a history alone, whoever wrote it.


def replay(key: str, entries: list[Entry]) -> Task:
    """Return a task as its history says it is; raises `ViolationError` where that cannot be."""
    task = Task(key, 0)
    for number, entry in enumerate(entries, 1):
        if (entry.old is None) != (number == 1) or (number > 1 and entry.old != task.status):
            raise ViolationError(
                f"{key}: entry {number} begins at {entry.old}, not at {task.status}"
            )
        if entry.old is not None and not entry.forced and entry.new not in ALLOWED[entry.old]:
            raise ViolationError(
                f"{key}: entry {number} moves {entry.old} to {entry.new}, unforced"
            )
        if task.holder is not None:
            if entry.token != task.token or entry.outcome is None:
                raise ViolationError(
                    f"{key}: entry {number} does not end claim {task.token}: {entry}"
                )
            task = replace(task, holder=None)
        elif entry.outcome is not None:
            raise ViolationError(f"{key}: entry {number} ends a claim that had ended: {entry}")
        elif entry.token is not None:
            if entry.new != "in_progress" or entry.token != task.token + 1:
                raise ViolationError(f"{key}: entry {number} claims after {task.token}: {entry}")
            task = replace(task, holder=entry.agent, token=entry.token)
        task = replace(task, status=entry.new)
    return task
