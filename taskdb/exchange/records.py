"""Tasks as rows of named columns: what GitHub, Linear, Jira and any table have in common.

A reader says which column is which field; the rest is done here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.duplicates import new_key
from taskdb.exchange.jsonvalues import JsonObject
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import Plan, PlanEdge, PlanParent, PlanRelation, PlanTask
from taskdb.exchange.rows import Row, is_false, key_fault
from taskdb.exchange.shaping import (
    hold,
    hold_flags,
    hold_type,
    hold_unread,
    is_open,
    normalize_moments,
    normalize_status,
    source_of,
    split_text,
    take_labels,
    whole_text,
)
from taskdb.exchange.words import normalize_word, priority_of, status_of
from taskdb.models.jsontypes import is_list
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
# Every column of these counts, and not the first alone.
UNITED: Final = ("blocked_by", "blocks")
RELATED: Final = ("related", "duplicate_of")
ORDINARY_PRIORITY: Final = 5
NO_LINKS: Final = re.compile(r"(?!)(?P<inward>)(?P<word>)")
# Given up, though the status may be a closed one.
DONE: Final = "done"


@dataclass(slots=True, frozen=True)
class Layout:
    """The columns of a tracker: for each of `FIELDS` the names it may have, the first counts.

    Of columns for edges all count.

    Names are compared without regard to case, spaces and hyphens. `own` are words for statuses
    that this tracker uses in its own way. `links` is the form of columns with other relations:
    the `word`, and whether it is `inward`, from the other task to that of the row. `harmless` are
    flags that say nothing about the work.
    """

    columns: Mapping[str, tuple[str, ...]]
    own: Mapping[str, TaskStatus] = field(default_factory=dict[str, TaskStatus])
    links: re.Pattern[str] = NO_LINKS
    harmless: frozenset[str] = frozenset()


def take_records(
    plan: Plan,
    rows: Iterable[tuple[JsonObject, str]],
    layout: Layout,
    options: ReadOptions,
    names: Iterable[str] = (),
) -> None:
    """Take *rows*, each with its place, into *plan*.

    *names* are those of the columns that the file has even without rows.

    Raises ValidationError if the options name a field or a column that is not there, or if no row
    is a task: a table without rows is a plan without tasks if it has a column for the key.
    """
    reader = _Records(plan, layout, options)
    for values, where in rows:
        reader.take(values, where)
    reader.met.update(names)
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
        raw_priority = row.text("priority")
        task = PlanTask(
            key=key,
            title=title,
            where=where,
            description=whole_text(head, row.text("description")),
            priority=_priority(row, raw_priority),
            scheduled_at=row.time("scheduled_at"),
            created_by=row.name("created_by"),
            created_at=row.time("created_at"),
            started_at=row.time("started_at"),
            completed_at=row.time("completed_at"),
            closed_by=row.name("closed_by"),
        )
        self._status(row, task, word)
        hold_type(row, task, kind)
        # A column that comes twice is a list of texts.
        flag = row.take("flagged") if "flagged" in self.columns else None
        if not is_false(flag):
            hold(task, ", ".join(map(str, flag)) if is_list(flag) else str(flag))
        hold_unread(row, task, "type", "scheduled_at", "cancelled_at", "archived_at")
        assignee, updated_at = row.text("assignee"), row.time("updated_at")
        normalize_moments(row, task, assignee, updated_at)
        labels = take_labels(row, task)
        self._links(row, task)
        hold_flags(row, task, self.layout.harmless)
        source = source_of(
            self.plan,
            row,
            status=word,
            priority=raw_priority,
            type=kind,
            assignee=assignee,
            closed_by=task.closed_by,
            updated_at=updated_at and updated_at.isoformat(),
        )
        task.metadata = {"source": source, **labels, **self.plan.keep(row.rest())}
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
        lacks_key = self.met and {*map(_plain, self.columns["key"])}.isdisjoint(
            map(_plain, self.met)
        )
        if not self.plan.tasks and (lacks_key or self.plan.findings.rows):
            raise ValidationError(
                "plan",
                "holds no task",
                where=self.plan.path,
                hint="Say which column is the key (--column key=NAME); "
                f"the file has {', '.join(sorted(self.met)) or 'none'}",
            )
        for edge in self.edges.values():
            if edge.depends_on in self.tasks and edge.task in self.tasks:
                self.plan.edges.append(edge)
            elif edge.depends_on in self.tasks:
                self.plan.relations.append(
                    PlanRelation(edge.depends_on, edge.task, "blocks", edge.where, holds=True)
                )
            elif edge.task in self.tasks:
                self.plan.edges.append(replace(edge, outward=True))
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
        # A name as it is asked for comes before one that differs.
        known = {_plain(name): name for name in reversed(values)} | {name: name for name in values}
        named: dict[str, Any] = {}
        used: set[str] = set()
        for name, candidates in self.columns.items():
            found = (known.get(each) or known.get(_plain(each)) for each in candidates)
            there = list(dict.fromkeys(filter(None, found)))
            if len(there) > 1 and name in UNITED:
                listed = [value if is_list(value) else [value] for value in map(values.get, there)]
                named[name] = [each for value in listed for each in value]
                used.update(there)
            elif there:
                named[name] = values[there[0]]
                used.add(there[0])
        rest = {name: value for name, value in values.items() if name not in used}
        return {**named, **{f"{name}_" if name in named else name: v for name, v in rest.items()}}

    def _key(self, row: Row) -> str | None:
        given = row.raw("key")
        if isinstance(given, str | int | float) and not isinstance(given, bool):
            given = str(given).strip()
        key = f"{self.options.prefix}{given}" if isinstance(given, str) and given else given
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
        if cancelled_at is not None and is_open(task):
            row.changed(f"has a time of cancellation, but is {task.status}; it is on hold")
            hold(task, f"cancelled at {cancelled_at.isoformat()}")
        if archived_at is not None:
            row.odd["archived_at"] = archived_at.isoformat()
            if is_open(task):
                task.status, task.blocked_reason = TaskStatus.ARCHIVED, None
                task.closed_at = archived_at

    def _links(self, row: Row, task: PlanTask) -> None:
        for given in self._keys(row, "blocked_by"):
            self._wait(task.key, given, "blocked-by", row.where)
        for given in self._keys(row, "blocks"):
            self._wait(given, task.key, "blocks", row.where)
        for given in self._keys(row, "parent"):
            self.plan.parents.append(PlanParent(task.key, given, row.where))
        for name in RELATED:
            for given in self._keys(row, name):
                self.relations.setdefault((task.key, given, name), row.where)
        for link in filter(None, map(self.layout.links.fullmatch, row.names())):
            for given in self._keys(row, link[0]):
                ends = (given, task.key) if link["inward"] else (task.key, given)
                self.relations.setdefault((*ends, link["word"]), row.where)

    def _wait(self, task: str, blocker: str, given: str, where: str) -> None:
        edge = PlanEdge(task, blocker, DependencyType.BLOCKS, given, where)
        self.edges.setdefault((task, blocker), edge)

    def _keys(self, row: Row, name: str) -> list[str]:
        value = row.take(name)
        listed = value if is_list(value) else [value]
        parts = [part for each in listed if each is not None for part in split_text(str(each))]
        return [f"{self.options.prefix}{part}" for part in dict.fromkeys(parts)]


@lru_cache(maxsize=1000)
def _plain(name: str) -> str:
    """Return a column's name as names are compared, or as it is if it has no letter or digit."""
    return normalize_word(name).replace("_", "") or name.strip()


def _columns(layout: Layout, options: ReadOptions) -> dict[str, tuple[str, ...]]:
    unknown = [name for name in options.columns if name not in FIELDS]
    if unknown:
        raise ValidationError(
            "columns",
            f"must name fields of a task, and not {unknown[0]!r}",
            hint=f"The fields are {', '.join(FIELDS)}",
        )
    return {**layout.columns, **{name: (column,) for name, column in options.columns.items()}}


def _priority(row: Row, given: str | None) -> int:
    if given is None:
        return ORDINARY_PRIORITY
    priority = priority_of(given)
    if priority is None:
        row.changed(f"its priority {given!r} is unknown; it counts as {ORDINARY_PRIORITY}")
        return ORDINARY_PRIORITY
    return priority
