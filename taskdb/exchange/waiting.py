"""Waits that follow from a task's place under its parent, where the tracker defines them.

In beads nobody begins an issue whose parent is blocked or put off: such a task gets derived
edges to what its parent waits for, the parent's time, or the parent's hold. An issue that waits
for the children of another gets derived edges to the children. In task-master a task is offered
whole, and its subtasks are not offered beside it; or, by the caller's choice, the subtasks first.
Every pass visits each task, edge and parent once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from taskdb.exchange.plan import Plan, PlanEdge, PlanGate, PlanTask
from taskdb.exchange.shaping import hold, is_open
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["normalize_waits", "on_cycles"]

# Derived edges at most for each task and edge of the file; tasks beyond are put on hold.
MOST_DERIVED: Final = 8


def normalize_waits(plan: Plan, blockers: dict[str, list[str]]) -> None:
    """Let the tasks of *plan* wait as their parents, and gates, demand it.

    *blockers* are the tasks that each task waits for, as far as they are not finished.
    """
    tasks = plan.tasks_by_key()
    _wait_for_children(plan, tasks, blockers)
    if plan.children_wait or plan.subtasks_first:
        _Waits(plan, tasks, blockers).normalize()
    if plan.whole_parents and not plan.subtasks_first:
        for task in plan.tasks:
            if task.parent is not None:
                _hold_part(task, tasks[task.parent])
    if plan.subtasks_first:
        _wait_for_subtasks(plan, tasks, blockers)


def _wait_for_children(
    plan: Plan, tasks: Mapping[str, PlanTask], blockers: dict[str, list[str]]
) -> None:
    """Let each gate's task wait for the open children, unless one is enough and is done.

    taskdb has no wait for the first of several: such a task waits for all of them.
    """
    found: dict[tuple[str, str], PlanGate] = {}
    still_open = {key for key, task in tasks.items() if is_open(task)}
    left = MOST_DERIVED * (len(tasks) + len(plan.gates))
    for gate in plan.gates:
        waiting = [key for key in gate.children if key in still_open]
        if gate.is_any and len(waiting) < len(gate.children):
            waiting.clear()
        several = gate.is_any and len(waiting) > 1
        if gate.whole and gate.parent in still_open:
            waiting.append(gate.parent)
        if gate.task not in still_open:
            continue
        left -= len(waiting)
        if left < 0:
            if waiting and tasks[gate.task].status is TaskStatus.PENDING:
                hold(tasks[gate.task], f"waits for the children of {gate.parent}")
            continue
        found |= {(gate.task, key): gate for key in waiting}
        if several:
            plan.remarks.append(
                f"{gate.task} waits for all children of {gate.parent}: "
                "in the file the first that is closed is enough"
            )
    own = {(task, blocker) for task, those in blockers.items() for blocker in those}
    edges = [
        _edge(tasks[task], blocker, DependencyType.BLOCKS, f"waits for {gate.parent}")
        for (task, blocker), gate in found.items()
        if (task, blocker) not in own
    ]
    looping = _looping(edges, blockers)
    for edge in edges:
        pair = (edge.task, edge.depends_on)
        if pair not in looping:
            plan.waits.append(edge)
            blockers.setdefault(edge.task, []).append(edge.depends_on)
        elif tasks[edge.task].status is TaskStatus.PENDING:
            parent = found[pair].parent
            kind = "" if edge.depends_on == parent else f", a child of {parent}"
            hold(tasks[edge.task], f"waits for {edge.depends_on}{kind}, which waits for it")


def _hold_part(task: PlanTask, parent: PlanTask) -> None:
    if task.status is not TaskStatus.PENDING:
        return
    if is_open(parent):
        hold(task, f"a part of {parent.key}")
    elif parent.status is not TaskStatus.COMPLETED:
        hold(task, f"its task {parent.key} is {parent.status}")


def _wait_for_subtasks(
    plan: Plan, tasks: Mapping[str, PlanTask], blockers: Mapping[str, list[str]]
) -> None:
    found = [
        _edge(tasks[task.parent], task.key, DependencyType.REQUIRES, "subtask")
        for task in plan.tasks
        if task.parent is not None and is_open(task) and is_open(tasks[task.parent])
        if task.key not in blockers.get(task.parent, ())
    ]
    looping = _looping([*found, *plan.waits], blockers)
    plan.waits += [edge for edge in found if (edge.task, edge.depends_on) not in looping]


class _Waits:
    """The derived edges, times and holds of children."""

    def __init__(
        self, plan: Plan, tasks: Mapping[str, PlanTask], blockers: Mapping[str, list[str]]
    ) -> None:
        self.plan = plan
        self.tasks = tasks
        self.blockers = blockers
        # The blockers of each task through its parents, by the parent that has them.
        self.through: dict[str, dict[str, str]] = {}
        self.left = MOST_DERIVED * (len(tasks) + sum(map(len, blockers.values())))

    def normalize(self) -> None:
        found: list[PlanEdge] = []
        for child, parents in self._downwards():
            if not is_open(child):
                continue
            for parent in parents:
                self._take(child, parent)
            if child.status is TaskStatus.PENDING:
                own = {*self.blockers.get(child.key, ()), child.key}
                found += (
                    _edge(child, blocker, DependencyType.BLOCKS, f"blocks {parent}")
                    for blocker, parent in self.through.get(child.key, {}).items()
                    if blocker not in own
                )
        looping = _looping(found, self.blockers)
        for edge in found:
            through = self.through[edge.task][edge.depends_on]
            if (edge.task, edge.depends_on) not in looping:
                self.plan.waits.append(edge)
            elif self.tasks[edge.task].status is TaskStatus.PENDING:
                reason = f"its parent {through} waits for {edge.depends_on}, which waits for it"
                hold(self.tasks[edge.task], reason)

    def _take(self, child: PlanTask, parent: PlanTask) -> None:
        """Let *child* wait as *parent* does: for its blockers, its time, or its release."""
        if not is_open(parent):
            return
        reason = self.plan.holding.get(parent.key)
        if reason is not None and child.status is TaskStatus.PENDING:
            hold(child, f"its parent {parent.key} is on hold: {reason}")
            self.plan.holding[child.key] = reason
        if parent.scheduled_at is not None and child.status is TaskStatus.PENDING:
            child.scheduled_at = max(parent.scheduled_at, child.scheduled_at or parent.scheduled_at)
        inherited = self.through.get(parent.key, {})
        blockers = self.blockers.get(parent.key, [])
        if (
            child.status is TaskStatus.PENDING
            and parent.status is TaskStatus.BLOCKED
            and not (parent.blocked_reason or inherited or blockers)
        ):
            # The file does not say by what: taskdb puts the parent on hold.
            hold(child, f"its parent {parent.key} is blocked")
            self.plan.holding[child.key] = "blocked"
        self.left -= len(inherited) + len(blockers)
        if self.left >= 0:
            waits = {**inherited, **dict.fromkeys(blockers, parent.key)}
            self.through.setdefault(child.key, {}).update(waits)
        elif (inherited or blockers) and child.status is TaskStatus.PENDING:
            hold(child, f"its parent {parent.key} is blocked")
            self.plan.holding[child.key] = "blocked"

    def _downwards(self) -> Iterator[tuple[PlanTask, list[PlanTask]]]:
        """Yield each task with its parents, parents first; not those below a cycle of parents."""
        children: dict[str, list[str]] = {}
        parents: dict[str, list[PlanTask]] = {key: [] for key in self.tasks}
        for link in dict.fromkeys((link.task, link.parent) for link in self.plan.parents):
            if link[0] in self.tasks and link[1] in self.tasks:
                children.setdefault(link[1], []).append(link[0])
                parents[link[0]].append(self.tasks[link[1]])
        missing = {key: len(above) for key, above in parents.items()}
        ready = [key for key, count in missing.items() if count == 0]
        for key in ready:
            yield self.tasks[key], parents[key]
            for child in children.get(key, ()):
                missing[child] -= 1
                if missing[child] == 0:
                    ready.append(child)


def _edge(task: PlanTask, blocker: str, kind: DependencyType, raw: str) -> PlanEdge:
    return PlanEdge(
        task.key, blocker, kind, raw, task.where, created_at=task.created_at, derived=True
    )


def on_cycles(pairs: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the edges that are on a cycle, or between two.

    Tasks that wait for nothing are taken away one after the other, and then those that nothing
    waits for.
    """
    return set(_peeled(_peeled(pairs), turned=True))


def _looping(
    derived: Iterable[PlanEdge], blockers: Mapping[str, list[str]]
) -> set[tuple[str, str]]:
    """Return the derived edges that may close a cycle with the others."""
    pairs = [(edge.task, edge.depends_on) for edge in derived]
    every = [*pairs, *((task, blocker) for task, those in blockers.items() for blocker in those)]
    return on_cycles(every).intersection(pairs)


def _peeled(pairs: list[tuple[str, str]], *, turned: bool = False) -> list[tuple[str, str]]:
    """Return the edges left when tasks without an edge out of them (or in) are taken away."""
    start, end = (1, 0) if turned else (0, 1)
    into: dict[str, list[str]] = {}
    out: dict[str, int] = {}
    for pair in pairs:
        into.setdefault(pair[end], []).append(pair[start])
        out[pair[start]] = out.get(pair[start], 0) + 1
    gone = [key for key in into if key not in out]
    for key in gone:
        for other in into.get(key, ()):
            out[other] -= 1
            if out[other] == 0:
                gone.append(other)
    away = set(gone)
    return [pair for pair in pairs if pair[end] not in away]
