"""The rules of the reference model: its state, and what follows from a state alone.

Everything is recomputed from the whole state, however slow. tests/core_model.py has the calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

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
KINDS: Final = ("requires", "blocks", "suggests", "cancelled_with", "compensates")
# Dependencies whose task ends with its blocker, and comes back with it.
BOUND: Final = ("cancelled_with", "compensates")


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
    concurrency_key: str | None = None
    retry_delay: float | None = None
    max_retry_delay: float = 3600.0
    status: str = "pending"
    reason: str | None = None
    holder: str | None = None
    token: int = 0
    lease: float | None = None
    request: int | None = None
    scheduled: float | None = None
    failed_attempts: int = 0
    edits: int = 0
    was_completed: bool = False
    history: list[Entry] = field(default_factory=list)


@dataclass
class State:
    """Everything. `edges` maps (task, blocker) to the type; `pauses` holds agent types, or None."""

    tasks: dict[str, Task] = field(default_factory=dict)
    edges: dict[tuple[str, str], str] = field(default_factory=dict)
    pauses: set[str | None] = field(default_factory=set)
    # The number of tasks of a concurrency key that can be in progress; without one: 1.
    limits: dict[str, int] = field(default_factory=dict)
    made: int = 0


def is_satisfied(kind: str, blocker: Task) -> bool:
    """Tell whether a dependency of this type no longer holds its task back."""
    done = blocker.status == "completed" or (blocker.status == "archived" and blocker.was_completed)
    if kind in ("requires", "cancelled_with"):
        return done
    if kind == "compensates":
        return blocker.status == "failed"
    return kind == "suggests" or blocker.status in ("completed", "cancelled", "archived")


def promises(task: Task) -> list[bool]:
    """Return which kinds of dependencies *task* satisfies."""
    return [is_satisfied(kind, task) for kind in KINDS]


def is_dead(kind: str, blocker: Task) -> bool:
    """Tell whether a dependency is over, and not as it asks."""
    return blocker.status in FINISHED and not is_satisfied(kind, blocker)


def is_held(state: State, key: str) -> bool:
    """Tell whether a task is bound to a blocker that has ended otherwise."""
    return any(
        task == key and kind in BOUND and is_dead(kind, state.tasks[blocker])
        for (task, blocker), kind in state.edges.items()
    )


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


def stuck(state: State) -> dict[str, list[str]]:
    """Return the tasks that can never start by themselves, with what they wait for in vain."""
    found: dict[str, list[str]] = {}
    while True:
        now: dict[str, list[str]] = {}
        for (key, blocker), kind in sorted(state.edges.items()):
            is_vain = is_dead(kind, state.tasks[blocker]) or blocker in found
            holds = not is_satisfied(kind, state.tasks[blocker])
            if state.tasks[key].status == "blocked" and holds and is_vain:
                now.setdefault(key, []).append(blocker)
        if now == found:
            return found
        found = now


def is_paused(state: State, task: Task) -> bool:
    """Tell whether claiming is paused for a task."""
    return None in state.pauses or (task.agent_type is not None and task.agent_type in state.pauses)


def is_ready(state: State, task: Task, now: float) -> bool:
    """Tell whether a task can be claimed, but for a slot of its concurrency key."""
    due = task.scheduled is None or task.scheduled <= now
    return task.status == "pending" and due and not is_paused(state, task)


def running(state: State, concurrency_key: str) -> int:
    """Count the tasks of a concurrency key that are in progress."""
    return sum(
        task.status == "in_progress" and task.concurrency_key == concurrency_key
        for task in state.tasks.values()
    )


def has_slot(state: State, concurrency_key: str | None) -> bool:
    """Tell whether one more task of a concurrency key, if it is one, can be in progress."""
    if concurrency_key is None:
        return True
    return running(state, concurrency_key) < state.limits.get(concurrency_key, 1)


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
