"""Choice of a plan's rows: new, already imported, or in conflict with rows of someone else.

Pure: what the database holds is handed in, and what it refuses goes to the plan's findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

from taskdb.exchange.graph import is_satisfied
from taskdb.exchange.plan import (
    ABOUT,
    Plan,
    PlanEdge,
    PlanEpic,
    PlanFeature,
    PlanFile,
    PlanHistory,
    PlanPart,
    PlanSpec,
    PlanTask,
)
from taskdb.exchange.relations import note_relation
from taskdb.models.exchange import ImportedBefore, KnownRow, KnownSpec, KnownTask
from taskdb.models.types import TaskStatus

__all__ = ["Known", "Selection", "choose", "is_own", "place_about", "usable_tasks"]


@dataclass(slots=True)
class Known:
    """Rows of the database with the keys of a plan; `edges` are pairs of keys.

    `before` is what the file said of each task at its last import, also of those that are gone
    from it; `keys` are theirs, and those of the plan's tasks, by id.
    """

    epics: Mapping[str, KnownRow] = field(default_factory=dict[str, KnownRow])
    features: Mapping[str, KnownRow] = field(default_factory=dict[str, KnownRow])
    tasks: Mapping[str, KnownTask] = field(default_factory=dict[str, KnownTask])
    edges: frozenset[tuple[str, str]] = frozenset()
    before: Mapping[str, ImportedBefore] = field(default_factory=dict[str, ImportedBefore])
    keys: Mapping[UUID, str] = field(default_factory=dict[UUID, str])
    # By the paths of their files; files as pairs of a task's key and a path; parts as tasks' keys.
    specs: Mapping[str, KnownSpec] = field(default_factory=dict[str, KnownSpec])
    files: frozenset[tuple[str, str]] = frozenset()
    parts: frozenset[str] = frozenset()


@dataclass(slots=True)
class Selection:
    """The new rows of a plan, and how many of the others an earlier import had brought."""

    epics: list[PlanEpic] = field(default_factory=list[PlanEpic])
    features: list[PlanFeature] = field(default_factory=list[PlanFeature])
    tasks: list[PlanTask] = field(default_factory=list[PlanTask])
    edges: list[PlanEdge] = field(default_factory=list[PlanEdge])
    history: list[PlanHistory] = field(default_factory=list[PlanHistory])
    specs: list[PlanSpec] = field(default_factory=list[PlanSpec])
    files: list[PlanFile] = field(default_factory=list[PlanFile])
    parts: list[PlanPart] = field(default_factory=list[PlanPart])
    unchanged: Counter[str] = field(default_factory=Counter[str])


def place_about(plan: Plan, known: Known, selection: Selection) -> None:
    """Give what the file says of itself to one row: the task that has it, or a new one, or any."""
    if not plan.about:
        return
    own = [
        task
        for task in plan.tasks
        if (there := known.tasks.get(task.key)) is not None and is_own(plan, there)
    ]
    holders = [task for task in own if known.tasks[task.key].has_about]
    rows: list[PlanTask | PlanEpic | PlanFeature]
    rows = [*holders, *selection.tasks, *own, *selection.epics, *selection.features]
    if rows:
        rows[0].metadata[ABOUT] = plan.about
    else:
        names = ", ".join(sorted(plan.about))
        plan.remarks.append(f"{names}: said of the file, which has no row to keep it")


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def where(self) -> str: ...


class _Sourced(Protocol):
    @property
    def source_kind(self) -> str | None: ...
    @property
    def source_file(self) -> str | None: ...


K = TypeVar("K", bound=_Keyed)


def choose(plan: Plan, known: Known) -> Selection:
    """Return what of *plan* is to be written, given what is *known*.

    A row whose key an earlier import of the same file made is left as it is, and so are its
    dependencies. One whose key anything else made is refused, and with it what can't stand
    without it: features go with their epic; tasks come without the feature or parent.
    """
    selection = Selection()
    selection.epics = list(_new(plan, "epic", plan.epics, known.epics, selection.unchanged))
    epics = _usable(plan, selection.epics, known.epics)
    features = list(_with_epic(plan, epics))
    selection.features = list(_new(plan, "feature", features, known.features, selection.unchanged))
    selection.tasks = list(_new(plan, "task", plan.tasks, known.tasks, selection.unchanged))

    usable_features = _usable(plan, selection.features, known.features)
    usable_tasks = _usable(plan, selection.tasks, known.tasks)
    new_tasks = {task.key: task for task in selection.tasks}
    for task in selection.tasks:
        _without_foreign(plan, task, usable_features, usable_tasks)
    selection.edges = list(_new_edges(plan, known, new_tasks, usable_tasks, selection.unchanged))
    selection.edges += _new_waits(plan, new_tasks, usable_tasks)
    selection.history = [row for row in plan.history if row.task in new_tasks]
    _explain_blocked(plan, selection, known)
    _choose_specs(plan, known, selection, usable_tasks)
    return selection


def _new(
    plan: Plan, what: str, rows: list[K], known: Mapping[str, _Sourced], unchanged: Counter[str]
) -> Iterator[K]:
    for row in rows:
        there = known.get(row.key)
        if there is None:
            yield row
        elif is_own(plan, there):
            unchanged[f"{what}s"] += 1
        else:
            plan.findings.refused(what, row.where, row.key, _owner(there))


def is_own(plan: Plan, there: _Sourced) -> bool:
    """Return whether an earlier import of the same file made this row."""
    return (there.source_kind, there.source_file) == (plan.kind, plan.path)


def _owner(there: _Sourced) -> str:
    if there.source_kind is None:
        return "its key is taken by a row that no import made"
    return f"its key is taken by a row of another import, {there.source_kind} {there.source_file}"


def usable_tasks(plan: Plan, selection: Selection, known: Known) -> frozenset[str]:
    """Return the keys of this file's tasks that are, or will be, in the database."""
    return _usable(plan, selection.tasks, known.tasks)


def _usable(plan: Plan, new: list[K], known: Mapping[str, _Sourced]) -> frozenset[str]:
    """Return the keys of this file's rows that are, or will be, in the database."""
    own = {key for key, there in known.items() if is_own(plan, there)}
    return frozenset(own | {row.key for row in new})


def _with_epic(plan: Plan, epics: frozenset[str]) -> Iterator[PlanFeature]:
    for feature in plan.features:
        if feature.epic in epics:
            yield feature
        else:
            plan.findings.refused(
                "feature", feature.where, feature.key, f"its epic {feature.epic} was refused"
            )


def _without_foreign(
    plan: Plan, task: PlanTask, features: frozenset[str], tasks: frozenset[str]
) -> None:
    if task.feature is not None and task.feature not in features:
        plan.findings.changed(
            "task",
            task.where,
            task.key,
            f"its feature {task.feature} was refused; taken without one",
        )
        task.feature = None
    if task.parent is not None and task.parent not in tasks:
        plan.findings.refused(
            "parent", task.where, task.key, f"its parent {task.parent} was refused"
        )
        note_relation(task, {"type": "parent", "key": task.parent, "refused": "was refused"})
        task.parent = None


def _new_edges(
    plan: Plan,
    known: Known,
    new_tasks: Mapping[str, PlanTask],
    usable: frozenset[str],
    unchanged: Counter[str],
) -> Iterator[PlanEdge]:
    for edge in plan.edges:
        task = new_tasks.get(edge.task)
        if task is not None and edge.depends_on in usable:
            yield edge
        elif (edge.task, edge.depends_on) in known.edges and edge.task in usable:
            unchanged["dependencies"] += 1
        elif edge.task in usable and edge.depends_on in usable:
            # The task was imported before: its edges are compared with those of then.
            continue
        elif edge.task in usable:
            reason = f"{edge.depends_on} was refused"
            plan.findings.refused(
                "dependency",
                edge.where,
                edge.task,
                f"on {edge.depends_on} ({edge.word}): {reason}",
            )
            if task is not None:
                note_relation(task, {"type": edge.word, "key": edge.depends_on, "refused": reason})
        else:
            plan.findings.refused(
                "dependency", edge.where, edge.task, f"on {edge.depends_on}: its task was refused"
            )


def _new_waits(
    plan: Plan, new_tasks: Mapping[str, PlanTask], usable: frozenset[str]
) -> Iterator[PlanEdge]:
    """Yield the derived edges of new tasks; what they would wait for may have been refused."""
    for edge in plan.waits:
        if edge.task in new_tasks and edge.depends_on in usable:
            yield edge


def _choose_specs(plan: Plan, known: Known, selection: Selection, usable: frozenset[str]) -> None:
    """Choose the specifications, and what of them and of other files belongs to tasks."""
    for spec in plan.specs:
        if spec.file_path in known.specs:
            selection.unchanged["specs"] += 1
        else:
            selection.specs.append(spec)
    for file in plan.files:
        if file.task not in usable:
            plan.findings.refused("file", file.where, file.task, "its task was refused")
        elif (file.task, file.path) in known.files:
            selection.unchanged["files"] += 1
        else:
            selection.files.append(file)
    for part in plan.parts:
        if part.task in known.parts:
            selection.unchanged["implementation tasks"] += part.task in usable
        elif part.task in usable:
            selection.parts.append(part)


def _explain_blocked(plan: Plan, selection: Selection, known: Known) -> None:
    """Give a reason to each blocked task without open dependencies, or it would become pending."""
    statuses = {task.key: (task.status, False) for task in selection.tasks}
    for key, there in known.tasks.items():
        statuses.setdefault(key, (there.status, there.completed_at is not None))
    waiting = {
        edge.task
        for edge in selection.edges
        if not is_satisfied(edge.dependency_type, *statuses[edge.depends_on])
    }
    for task in selection.tasks:
        if (
            task.status is TaskStatus.BLOCKED
            and task.blocked_reason is None
            and task.key not in waiting
        ):
            task.blocked_reason = f"blocked in {plan.kind}"
