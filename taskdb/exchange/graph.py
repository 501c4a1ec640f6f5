"""The edges of a plan: which can be taken, which dangle, which close a cycle.

`normalize` decides it for the whole file before anything is loaded, in time linear in the graph,
so that the report can name every cycle; the database checks again what it is given.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Final

from taskdb.exchange.plan import Plan, PlanEdge, PlanParent, PlanTask
from taskdb.exchange.relations import note_relation
from taskdb.exchange.shaping import hold
from taskdb.exchange.waiting import normalize_waits, on_cycles
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries.cycles import closing_edges

__all__ = ["Standing", "is_satisfied", "normalize"]

# The status of a task, and whether it was completed.
Standing = tuple[TaskStatus, bool]
# The reason shows this many keys of a long cycle.
SHOWN_KEYS: Final = 20
STRENGTH: Final = {
    DependencyType.SUGGESTS: 0,
    DependencyType.BLOCKS: 1,
    DependencyType.REQUIRES: 2,
    DependencyType.CANCELLED_WITH: 3,
    DependencyType.COMPENSATES: 4,
}


def normalize(
    plan: Plan,
    known_tasks: Container[str] = frozenset(),
    known_edges: Container[tuple[str, str]] = frozenset(),
    gone: Mapping[str, Standing] | None = None,
) -> None:
    """Leave in *plan* only the edges and parents that a database can take.

    Refused, with their reason: edges and parents to tasks that the file does not have (in most
    trackers their task is on hold), the weaker of two edges of a pair, a second parent, and in
    each cycle the edge that closes it when tasks are visited in the order of the file. A refused
    edge stays readable in its task's ``metadata.relations``. An edge that is *known* to the
    database stays, and a new one of a known task that closes a cycle with it is refused. *gone*
    says how tasks stand here that the file had before: none waits for one that is done.
    """
    tasks = plan.tasks_by_key()
    edges = list(_strongest(plan, _between_known(plan, tasks, known_edges, gone or {})))
    cycles = _cycles(tasks, edges)
    if any((task, blocker) in known_edges for task, blocker in cycles):
        edges = list(_without_late(plan, tasks, edges, known_tasks, known_edges))
        cycles = _cycles(tasks, edges)
    plan.edges = list(_without_cycles(plan, tasks, edges, cycles))
    _normalize_parents(plan, tasks)
    normalize_waits(plan, _blockers(plan, tasks))


def is_satisfied(kind: DependencyType, status: TaskStatus, completed: bool) -> bool:
    """Return whether an edge of this type lets its task start: `shared.is_satisfied`, in Python."""
    if kind is DependencyType.SUGGESTS:
        return True
    if kind is DependencyType.COMPENSATES:
        return status is TaskStatus.FAILED
    if status is TaskStatus.COMPLETED:
        return True
    if kind in (DependencyType.REQUIRES, DependencyType.CANCELLED_WITH):
        return status is TaskStatus.ARCHIVED and completed
    return status in (TaskStatus.CANCELLED, TaskStatus.ARCHIVED)


def _blockers(plan: Plan, tasks: Mapping[str, PlanTask]) -> dict[str, list[str]]:
    """Return what each task waits for, as far as it is not finished."""
    blockers: dict[str, list[str]] = {}
    for edge in plan.edges:
        blocker = tasks[edge.depends_on]
        completed = blocker.completed_at is not None
        if not is_satisfied(edge.dependency_type, blocker.status, completed):
            blockers.setdefault(edge.task, []).append(edge.depends_on)
    return blockers


def _between_known(
    plan: Plan,
    tasks: dict[str, PlanTask],
    known_edges: Container[tuple[str, str]],
    gone: Mapping[str, Standing],
) -> Iterator[PlanEdge]:
    """Yield the edges between tasks of the file; hold those back that wait for another task.

    A task that the file has lost since the last import is still waited for here, unless it is
    done.
    """
    for edge in plan.edges:
        if edge.depends_on in tasks:
            yield edge
            continue
        if not edge.outward:
            _refuse(plan, tasks, edge, f"{edge.depends_on} is no task of this file")
        # A task that nobody knows may be open.
        standing = gone.get(edge.depends_on, (TaskStatus.PENDING, False))
        # One that is cancelled may be so because the file lost it: `--prune` does that.
        is_done = is_satisfied(DependencyType.REQUIRES, *standing)
        gates = edge.dependency_type is not DependencyType.SUGGESTS and not is_done
        waits = tasks[edge.task].status in (TaskStatus.PENDING, TaskStatus.BLOCKED)
        pair = (edge.task, edge.depends_on)
        if plan.unknown_holds and gates and waits and pair not in known_edges:
            hold(tasks[edge.task], f"waits for {edge.depends_on}, which the file does not have")


def _strongest(plan: Plan, edges: Iterator[PlanEdge]) -> Iterator[PlanEdge]:
    """Yield one edge a pair, at the place of the pair's first."""
    by_pair: dict[tuple[str, str], list[PlanEdge]] = {}
    for edge in edges:
        by_pair.setdefault((edge.task, edge.depends_on), []).append(edge)
    for same in by_pair.values():
        kept = max(same, key=lambda edge: STRENGTH[edge.dependency_type])
        yield kept
        for edge in same:
            if edge is not kept:
                plan.findings.changed(
                    "dependency",
                    edge.where,
                    edge.task,
                    f"on {edge.depends_on} ({edge.word}) is the same edge as "
                    f"{kept.word} at {kept.where}; the stronger stays, as {kept.dependency_type}",
                )


def _cycles(
    tasks: dict[str, PlanTask], edges: list[PlanEdge]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the cycles among *edges*, each by the edge that closes it."""
    waits_for: dict[str, list[str]] = {}
    for edge in edges:
        if edge.dependency_type is not DependencyType.SUGGESTS:
            waits_for.setdefault(edge.task, []).append(edge.depends_on)
    return {(cycle[-2], cycle[-1]): cycle for cycle in closing_edges(list(tasks), waits_for)}


def _without_late(
    plan: Plan,
    tasks: dict[str, PlanTask],
    edges: list[PlanEdge],
    known_tasks: Container[str],
    known_edges: Container[tuple[str, str]],
) -> Iterator[PlanEdge]:
    """Yield the edges without the new ones of known tasks that are on a cycle.

    What is left has cycles among new tasks only.
    """
    looping = on_cycles(
        [
            (edge.task, edge.depends_on)
            for edge in edges
            if edge.dependency_type is not DependencyType.SUGGESTS
        ]
    )
    for edge in edges:
        pair = (edge.task, edge.depends_on)
        if edge.task in known_tasks and pair not in known_edges and pair in looping:
            _refuse(plan, tasks, edge, "closes a cycle with edges that were imported before")
            _hold_on_cycle(plan, tasks, edge)
        else:
            yield edge


def _without_cycles(
    plan: Plan,
    tasks: dict[str, PlanTask],
    edges: list[PlanEdge],
    cycles: Mapping[tuple[str, str], tuple[str, ...]],
) -> Iterator[PlanEdge]:
    for edge in edges:
        cycle = cycles.get((edge.task, edge.depends_on))
        if cycle is None or edge.dependency_type is DependencyType.SUGGESTS:
            yield edge
        else:
            _refuse(plan, tasks, edge, f"closes the cycle {_shown(cycle)}", cycle)
            _hold_on_cycle(plan, tasks, edge)


def _hold_on_cycle(plan: Plan, tasks: dict[str, PlanTask], edge: PlanEdge) -> None:
    """Put a task on hold that waits for one that waits for it: no tracker offers either."""
    task, blocker = tasks[edge.task], tasks[edge.depends_on]
    completed = blocker.completed_at is not None
    if (
        plan.cycles_hold
        and task.status in (TaskStatus.PENDING, TaskStatus.BLOCKED)
        and edge.dependency_type is not DependencyType.SUGGESTS
        and not is_satisfied(edge.dependency_type, blocker.status, completed)
    ):
        reason = f"waits for {blocker.key}, which waits for it"
        hold(task, reason)
        plan.holding[task.key] = reason


def _normalize_parents(plan: Plan, tasks: dict[str, PlanTask]) -> None:
    chosen: dict[str, PlanParent] = {}
    for link in plan.parents:
        first = chosen.get(link.task)
        if link.parent not in tasks:
            reason = f"{link.parent} is no task of this file"
        elif first is None:
            chosen[link.task] = link
            continue
        elif first.parent == link.parent:
            continue
        else:
            reason = f"{link.parent} would be a second parent; {first.parent} is one already"
        _refuse_parent(plan, tasks, link, reason)

    above = {key: (link.parent,) for key, link in chosen.items()}
    for cycle in list(closing_edges(list(tasks), above)):
        link = chosen.pop(cycle[-2])
        _refuse_parent(plan, tasks, link, f"closes the cycle {_shown(cycle)}", cycle)
    for key, link in chosen.items():
        tasks[key].parent = link.parent
    plan.parents = list(chosen.values())


def _refuse(
    plan: Plan,
    tasks: dict[str, PlanTask],
    edge: PlanEdge,
    reason: str,
    path: tuple[str, ...] = (),
) -> None:
    plan.findings.refused(
        "dependency",
        edge.where,
        edge.task,
        f"on {edge.depends_on} ({edge.word}): {reason}",
        path,
    )
    note_relation(tasks[edge.task], {"type": edge.word, "key": edge.depends_on, "refused": reason})


def _refuse_parent(
    plan: Plan,
    tasks: dict[str, PlanTask],
    link: PlanParent,
    reason: str,
    path: tuple[str, ...] = (),
) -> None:
    plan.findings.refused("parent", link.where, link.task, reason, path)
    note_relation(tasks[link.task], {"type": "parent", "key": link.parent, "refused": reason})


def _shown(cycle: tuple[str, ...]) -> str:
    if len(cycle) > SHOWN_KEYS:
        cycle = (*cycle[: SHOWN_KEYS - 1], "...", cycle[-1])
    return " -> ".join(cycle)
