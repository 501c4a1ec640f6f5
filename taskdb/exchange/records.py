"""Tasks as rows of named columns: what GitHub, Linear, Jira and any table have in common.

A reader says which column is which field; the rest is done here. A blocker that the file does
not have may be open, so its task is on hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.duplicates import new_key
from taskdb.exchange.jsonfiles import JsonObject
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import Plan, PlanEdge, PlanParent, PlanRelation, PlanTask
from taskdb.exchange.rows import Row, is_list, key_fault
from taskdb.exchange.shaping import (
    hold,
    hold_flags,
    hold_type,
    is_open,
    label_names,
    normalize_moments,
    normalize_status,
    source_of,
    whole_text,
)
from taskdb.exchange.words import priority_of, status_of
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["FIELDS", "Layout", "take_records"]

# The fields that a column may hold.
FIELDS: Final = (
    "key",
    "title",
    "description",
    "status",
    "type",
    "priority",
    "labels",
    "parent",
    "blocked_by",
    "blocks",
    "related",
    "duplicate_of",
    "assignee",
    "created_by",
    "created_at",
    "started_at",
    "updated_at",
    "scheduled_at",
    "completed_at",
    "cancelled_at",
    "archived_at",
    "closed_by",
    # The reason of its end, and whether the tracker counts its status as closed.
    "resolution",
    "category",
    # A reason that holds it up, whatever its status.
    "flagged",
)
RELATED: Final = ("related", "duplicate_of")
ORDINARY_PRIORITY: Final = 5
SEPARATORS: Final = re.compile(r"[,;\n]")
NO_LINKS: Final = re.compile(r"(?!)(?P<inward>)(?P<word>)")
# Given up, though the status may be a closed one.
DONE: Final = "done"


@dataclass(slots=True, frozen=True)
class Layout:
    """The columns of a tracker: for each of `FIELDS` the names it may have, the first counts.

    Names are compared without regard to case. `own` are words for statuses that this tracker
    uses in its own way. `links` is the form of columns with other relations: the `word`, and
    whether it is `inward`, from the other task to that of the row.
    """

    columns: Mapping[str, tuple[str, ...]]
    own: Mapping[str, TaskStatus] = field(default_factory=dict[str, TaskStatus])
    links: re.Pattern[str] = NO_LINKS


def take_records(
    plan: Plan, rows: Iterable[tuple[JsonObject, str]], layout: Layout, options: ReadOptions
) -> None:
    """Take *rows*, each with its place, into *plan*.

    Raises ValidationError if the options name a field or a column that is not there, or if no
    row is a task.
    """
    reader = _Records(plan, layout, options)
    for values, where in rows:
        reader.take(values, where)
    reader.finish()


class _Records:
    def __init__(self, plan: Plan, layout: Layout, options: ReadOptions) -> None:
        self.plan = plan
        self.layout = layout
        self.options = options
        self.columns = _columns(layout, options)
        self.tasks: dict[str, PlanTask] = {}
        # A table may have an edge, or a relation, at both ends.
        self.edges: dict[tuple[str, str], PlanEdge] = {}
        self.relations: dict[tuple[str, str, str], str] = {}
        self.met: set[str] = set()

    def take(self, values: JsonObject, where: str) -> None:
        self.met.update(values)
        row = Row(self._named(values), where, "task", self.plan.findings, self.options.zone)
        key = self._key(row)
        if key is None:
            return
        title, head = row.title("title", key)
        word, kind = row.text("status"), row.text("type")
        said_priority = row.text("priority")
        task = PlanTask(
            key=key,
            title=title,
            where=where,
            description=whole_text(head, row.text("description")),
            priority=_priority(row, said_priority),
            scheduled_at=row.time("scheduled_at"),
            created_by=row.name("created_by"),
            created_at=row.time("created_at"),
            started_at=row.time("started_at"),
            completed_at=row.time("completed_at"),
            closed_by=row.name("closed_by"),
        )
        self._status(row, task, word)
        hold_type(row, task, kind)
        flag = row.text("flagged") if "flagged" in self.columns else None
        if flag is not None:
            hold(task, flag)
        hold_flags(row, task)
        assignee, updated_at = row.text("assignee"), row.time("updated_at")
        normalize_moments(row, task, assignee, updated_at)
        labels = row.take("labels")
        task.labels = label_names(_parts(labels) if isinstance(labels, str) else labels)
        self._links(row, task)
        source = source_of(
            self.plan,
            row,
            status=word,
            priority=said_priority,
            type=kind,
            assignee=assignee,
            closed_by=task.closed_by,
            updated_at=updated_at and updated_at.isoformat(),
        )
        kept = {"labels": list(task.labels)} if task.labels else {}
        task.metadata = {"source": source, **kept, **self.plan.keep(row.rest())}
        self.plan.tasks.append(task)
        self.tasks[key] = task

    def finish(self) -> None:
        """Check the columns that were asked for; hold what waits for tasks that are not here."""
        missing = [name for name in self.options.columns.values() if name not in self.met]
        if missing and self.met:
            raise ValidationError(
                "columns",
                f"names {missing[0]!r}, which no row has",
                where=self.plan.path,
                hint=f"The file has {', '.join(sorted(self.met))}",
            )
        if not self.plan.tasks:
            raise ValidationError(
                "plan",
                "holds no task",
                where=self.plan.path,
                hint="Name a file with a column for the key (--column key=NAME)",
            )
        for edge in self.edges.values():
            if edge.depends_on in self.tasks:
                self.plan.edges.append(edge)
            elif edge.task in self.tasks:
                task = self.tasks[edge.task]
                hold(task, f"waits for {edge.depends_on}, which the file does not have")
                self.plan.relations.append(
                    PlanRelation(edge.task, edge.depends_on, "blocked-by", edge.where, holds=True)
                )
        for (key, other, word), where in self.relations.items():
            if key in self.tasks:
                self.plan.relations.append(PlanRelation(key, other, word, where))
            else:
                self.plan.relations.append(PlanRelation(other, key, f"inward {word}", where))

    def _named(self, values: JsonObject) -> dict[str, Any]:
        """Return a row by taskdb's names of the fields, and its other columns by their own."""
        lower = {name.strip().casefold(): name for name in values}
        named: dict[str, Any] = {}
        used: set[str] = set()
        for name, candidates in self.columns.items():
            there = [lower[each.casefold()] for each in candidates if each.casefold() in lower]
            if there:
                named[name] = values[there[0]]
                used.add(there[0])
        rest = {name: value for name, value in values.items() if name not in used}
        return {**named, **{f"{name}_" if name in named else name: v for name, v in rest.items()}}

    def _key(self, row: Row) -> str | None:
        said = row.raw("key")
        if isinstance(said, int | float) and not isinstance(said, bool):
            said = str(said)
        key = f"{self.options.prefix}{said}" if isinstance(said, str) and said else said
        fault = key_fault(key)
        if fault is None:
            row.key = str(key)
            if row.key in self.tasks and self.options.rename_duplicates:
                row.key = new_key(self.plan, row.key, row.where)
            elif row.key in self.tasks:
                fault = f"its key stands at {self.tasks[row.key].where} already"
        if fault is not None:
            row.refused(fault)
            return None
        return row.key

    def _status(self, row: Row, task: PlanTask, word: str | None) -> None:
        resolution, category = row.text("resolution"), row.text("category")
        cancelled_at, archived_at = row.time("cancelled_at"), row.time("archived_at")
        if resolution is not None:
            row.odd["resolution"] = resolution
        if cancelled_at is not None:
            row.odd["cancelled_at"] = cancelled_at.isoformat()
            task.closed_at = cancelled_at
        known = status_of(word, self.layout.own) if word else None
        closed = category is not None and category.strip().casefold() == DONE
        if known is None and cancelled_at is not None:
            task.status = TaskStatus.CANCELLED
        elif known is None and closed:
            task.status = TaskStatus.COMPLETED
        else:
            normalize_status(row, task, word, own=self.layout.own)
        if (
            task.status is TaskStatus.COMPLETED
            and resolution is not None
            and status_of(resolution) is TaskStatus.CANCELLED
        ):
            task.status = TaskStatus.CANCELLED
        if archived_at is not None:
            row.odd["archived_at"] = archived_at.isoformat()
            if is_open(task):
                task.status, task.blocked_reason = TaskStatus.ARCHIVED, None
                task.closed_at = archived_at

    def _links(self, row: Row, task: PlanTask) -> None:
        for said in self._keys(row, "blocked_by"):
            self._wait(task.key, said, "blocked-by", row.where)
        for said in self._keys(row, "blocks"):
            self._wait(said, task.key, "blocks", row.where)
        for said in self._keys(row, "parent"):
            self.plan.parents.append(PlanParent(task.key, said, row.where))
        for name in RELATED:
            for said in self._keys(row, name):
                self.relations.setdefault((task.key, said, name), row.where)
        for link in filter(None, map(self.layout.links.fullmatch, row.names())):
            for said in self._keys(row, link[0]):
                ends = (said, task.key) if link["inward"] else (task.key, said)
                self.relations.setdefault((*ends, link["word"]), row.where)

    def _wait(self, task: str, blocker: str, said: str, where: str) -> None:
        edge = PlanEdge(task, blocker, DependencyType.BLOCKS, said, where)
        self.edges.setdefault((task, blocker), edge)

    def _keys(self, row: Row, name: str) -> list[str]:
        value = row.take(name)
        listed = value if is_list(value) else [value]
        parts = [part for each in listed if each is not None for part in _parts(str(each))]
        return [f"{self.options.prefix}{part}" for part in dict.fromkeys(parts)]


def _columns(layout: Layout, options: ReadOptions) -> dict[str, tuple[str, ...]]:
    unknown = [name for name in options.columns if name not in FIELDS]
    if unknown:
        raise ValidationError(
            "columns",
            f"must name fields of a task, and not {unknown[0]!r}",
            hint=f"The fields are {', '.join(FIELDS)}",
        )
    return {**layout.columns, **{name: (column,) for name, column in options.columns.items()}}


def _parts(text: str) -> list[str]:
    return [part for each in SEPARATORS.split(text) if (part := each.strip())]


def _priority(row: Row, said: str | None) -> int:
    if said is None:
        return ORDINARY_PRIORITY
    priority = priority_of(said)
    if priority is None:
        row.changed(f"its priority {said!r} is unknown; it counts as {ORDINARY_PRIORITY}")
        return ORDINARY_PRIORITY
    return priority
