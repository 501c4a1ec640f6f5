"""Reads a beads tracker's ``issues.jsonl``: one issue a line, each with the edges that leave it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.graph import note_relation
from taskdb.exchange.jsonfiles import JsonObject, read_lines
from taskdb.exchange.plan import RELATIONS, Plan, PlanEdge, PlanParent, PlanTask
from taskdb.exchange.rows import Row, key_fault
from taskdb.exchange.shaping import settle_moments, settle_status, source_of, whole_text
from taskdb.models.types import DependencyType

__all__ = ["KIND", "read"]

KIND: Final = "beads"
PRIORITIES: Final = {0: 1, 1: 3, 2: 5, 3: 7, 4: 9}
# Left out by Go's omitempty, so absent means zero: the most urgent.
ABSENT_PRIORITY: Final = 0
ORDINARY_PRIORITY: Final = 5
GATING: Final = frozenset({"blocks", "conditional-blocks", "waits-for"})
PARENT: Final = "parent-child"
# Texts that say what the work must meet.
REQUIREMENTS: Final = ("design", "acceptance_criteria")
LISTS: Final = ("labels", "comments")
# Moments without a column: they go to metadata, if they are moments.
OTHER_MOMENTS: Final = ("due_at", "deleted_at")


def read(path: Path, *, prefix: str = "") -> Plan:
    """Return the plan in the file *path*; *prefix* goes before every key.

    Raises ValidationError if the file can't be read, or holds no issue.
    """
    reader = _Reader(path, prefix)
    for values in reader.last_of_each():
        reader.take(values)
    if not reader.plan.tasks:
        raise ValidationError(
            "plan",
            "holds no issue",
            where=str(path),
            hint="Name a file with one JSON object a line, each with an id and a title",
        )
    return reader.plan


class _Reader:
    def __init__(self, path: Path, prefix: str) -> None:
        self.path = path
        self.prefix = prefix
        self.plan = Plan(KIND, str(path), (RELATIONS, *LISTS))
        self.issues: dict[str, JsonObject] = {}

    def last_of_each(self) -> list[JsonObject]:
        """Read the file; of lines with the same id the last counts, the others are refused."""
        for values in read_lines(self.path, self.plan.findings):
            row = self._row(values)
            said: object = values.get("id")
            fault = key_fault(f"{self.prefix}{said}" if isinstance(said, str) and said else said)
            if fault is not None or not isinstance(said, str):
                row.refused(fault or "has no key")
                continue
            earlier = self.issues.pop(said, None)
            if earlier is not None:
                replaced = self._row(earlier)
                replaced.refused(f"line {values.line} has the same id, and the last one counts")
            self.issues[said] = values
        return list(self.issues.values())

    def take(self, values: JsonObject) -> None:
        row = self._row(values)
        key = self._key(row.raw("id"))
        title, head = row.title("title", key)
        word = row.text("status")
        said_priority: Any = row.take("priority")
        task = PlanTask(
            key=key,
            title=title,
            where=row.where,
            description=whole_text(head, row.text("description")),
            priority=_priority(row, said_priority),
            estimated_hours=row.hours("estimated_minutes"),
            requirements={name: text for name in REQUIREMENTS if (text := row.text(name))} or None,
            scheduled_at=row.time("defer_until"),
            created_by=row.name("created_by"),
            created_at=row.time("created_at"),
            started_at=row.time("started_at"),
            completed_at=row.time("closed_at"),
        )
        assignee, updated_at = row.text("assignee"), row.time("updated_at")
        settle_status(row, task, word)
        settle_moments(row, task, assignee, updated_at)
        self._dependencies(row, task)
        lists = {name: value for name in LISTS if (value := row.take(name)) is not None}
        moments = {name: at.isoformat() for name in OTHER_MOMENTS if (at := row.time(name))}
        rest = self.plan.keep({**moments, **row.rest()})
        source = source_of(
            self.plan,
            row,
            status=word,
            priority=said_priority,
            assignee=assignee,
            defer_until=task.scheduled_at and task.scheduled_at.isoformat(),
            updated_at=updated_at and updated_at.isoformat(),
        )
        # Until here its metadata holds its relations, and nothing else.
        task.metadata = {"source": source, **lists, **rest, **task.metadata}
        self.plan.tasks.append(task)

    def _row(self, values: JsonObject) -> Row:
        where = f"{self.path.name}:{values.line}"
        row = Row(values, where, "task", self.plan.findings)
        said = values.get("id")
        if not key_fault(said):
            row.key = self._key(str(said))
        return row

    def _key(self, said: str) -> str:
        return f"{self.prefix}{said}"

    def _dependencies(self, row: Row, task: PlanTask) -> None:
        for said in row.objects("dependencies"):
            self._dependency(Row(said, row.where, "dependency", self.plan.findings), task)
        parent = row.take("parent")
        if isinstance(parent, str):
            self.plan.parents.append(PlanParent(task.key, self._key(parent), row.where))
        elif parent is not None:
            row.refuse_value("parent", parent, "is not an id; left out")

    def _dependency(self, said: Row, task: PlanTask) -> None:
        said.key = task.key
        owner, target = said.text("issue_id"), said.text("depends_on_id")
        kind = said.text("type") or "unnamed"
        if target is None:
            said.refused(f"{kind}: names no issue that it depends on")
        elif owner is not None and self._key(owner) != task.key:
            said.refused(f"{kind} {target}: belongs to {owner}, not to the issue of its line")
        elif kind == PARENT:
            self.plan.parents.append(PlanParent(task.key, self._key(target), said.where))
        elif kind in GATING:
            created_at, created_by = said.time("created_at"), said.text("created_by")
            self.plan.edges.append(
                PlanEdge(
                    task.key,
                    self._key(target),
                    DependencyType.BLOCKS,
                    kind,
                    said.where,
                    created_by,
                    created_at,
                )
            )
        else:
            known = self._key(target) if target in self.issues else target
            note_relation(task, {"type": kind, "key": known, **said.rest()})


def _priority(row: Row, said: object) -> int:
    level = ABSENT_PRIORITY if said is None else said
    if isinstance(level, int) and not isinstance(level, bool) and level in PRIORITIES:
        return PRIORITIES[level]
    row.changed(f"its priority {said!r} is not 0 to 4; it counts as {ORDINARY_PRIORITY}")
    return ORDINARY_PRIORITY
