"""Reads a beads tracker: an ``issues.jsonl``, a ``.beads`` folder or a backup of its tables.

A file has one issue a line, each with the edges that leave it. What beads itself would not list
as ready (`bd ready`) is not offered here either.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.beadsbackup import assemble, is_backup
from taskdb.exchange.duplicates import new_key
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import JsonObject, read_lines
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import (
    RELATIONS,
    Plan,
    PlanEdge,
    PlanParent,
    PlanRelation,
    PlanTask,
)
from taskdb.exchange.rows import LONGEST_NAME, Row, is_true, key_fault
from taskdb.exchange.shaping import (
    hold,
    hold_flags,
    hold_type,
    label_names,
    normalize_moments,
    normalize_status,
    not_work,
    source_of,
    whole_text,
)
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["KIND", "MEMORY", "PARENT", "PRIORITIES", "REQUIREMENTS", "is_folder", "read"]

KIND: Final = "beads"
FILES: Final = ("issues.jsonl", "beads.jsonl")
PRIORITIES: Final = {0: 1, 1: 3, 2: 5, 3: 7, 4: 9}
# Left out by Go's omitempty, so absent means zero: the most urgent.
ABSENT_PRIORITY: Final = 0
ORDINARY_PRIORITY: Final = 5
# Issues that beads and the tools on it keep, and never list as ready work.
NO_WORK: Final = frozenset(
    {"gate", "molecule", "message", "agent", "role", "rig", "merge-request", "event", "convoy"}
)
# Issues with these flags are never listed as ready either; the reason is the second word.
FLAGS: Final = {"pinned": "pinned", "ephemeral": "ephemeral", "is_template": "template"}
# Flags that say nothing about whether somebody may work on an issue.
HARMLESS_FLAGS: Final = frozenset({"crystallizes", "no_history"})
GATING: Final = frozenset({"blocks", "conditional-blocks", "waits-for"})
PARENT: Final = "parent-child"
ELSEWHERE: Final = "external:"
# Texts that say what the work must meet.
REQUIREMENTS: Final = ("design", "acceptance_criteria")
LISTS: Final = ("labels", "comments", "events")
# Moments without a column: they go to metadata, if they are moments.
OTHER_MOMENTS: Final = ("due_at", "deleted_at")
# The fields that two states of one issue have in common.
IDENTITY: Final = ("title", "created_at")
# The status of an issue that waits on its assignee's hook.
HOOKED: Final = "hooked"
# The lines of an export that are no issues, by their _type.
MEMORY: Final = "memory"


def is_folder(path: Path) -> bool:
    """Return whether *path* is a folder of beads, or holds one."""
    return _home(path) is not None


def read(path: Path, options: ReadOptions) -> Plan:
    """Return the plan in the file or folder *path*.

    Raises ValidationError if it can't be read, or holds no issue.
    """
    reader = _Reader(path, options)
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


def _home(path: Path) -> Path | None:
    """Return the file with the issues, or the folder of a backup, in the folder *path*."""
    for folder in (path, path / ".beads"):
        if is_backup(folder):
            return folder
        for name in FILES:
            if (folder / name).is_file():
                return folder / name
    return next(
        (each for each in (path / "backup", path / ".beads/backup") if is_backup(each)), None
    )


class _Reader:
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.options = options
        self.prefix = options.prefix
        self.files = Files(path, options.largest)
        self.plan = Plan(KIND, str(path), (RELATIONS, *LISTS), children_wait=True)
        self.home = (_home(path) or path / FILES[0]) if path.is_dir() else path
        self.name = FILES[0] if self.home.is_dir() else self.home.name
        self.issues: dict[str, JsonObject] = {}
        # The keys of different issues under one id, by their places.
        self.new_keys: dict[str, str] = {}

    def last_of_each(self) -> list[JsonObject]:
        """Read the file; of lines with the same id the last counts, the others are refused."""
        if self.home.is_dir():
            lines = assemble(self.home, self.files, self.plan, self.options)
        else:
            lines = read_lines(self.home, self.plan.findings, self.files)
        apart: list[JsonObject] = []
        for values in lines:
            if self._is_no_issue(values):
                continue
            row = self._row(values)
            said: object = values.get("id")
            fault = key_fault(f"{self.prefix}{said}" if isinstance(said, str) and said else said)
            if fault is not None or not isinstance(said, str):
                row.refused(fault or "has no key")
                continue
            earlier = self.issues.pop(said, None)
            if earlier is not None:
                replaced = self._row(earlier)
                if self.options.rename_duplicates and _differ(earlier, values):
                    self.new_keys[replaced.where] = new_key(
                        self.plan, self._key(said), replaced.where
                    )
                    apart.append(earlier)
                else:
                    reason = f"line {values.line} has the same id, and the last one counts"
                    replaced.refused(reason)
            self.issues[said] = values
        return [*apart, *self.issues.values()]

    def take(self, values: JsonObject) -> None:
        row = self._row(values)
        said_id: str = row.raw("id")
        key = row.key = self.new_keys.get(row.where) or self._key(said_id)
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
        # Go leaves out what is empty, and the tool takes that for open.
        normalize_status(row, task, word, absent=TaskStatus.PENDING)
        self._dependencies(row, task, said_id)
        if task.blocked_reason is not None:
            self.plan.holding[key] = task.blocked_reason
        self._hold_back(row, task)
        # A tombstone was closed when it was deleted; both stay in the metadata.
        moments = {name: at for name in OTHER_MOMENTS if (at := row.time(name))}
        deleted = task.status is TaskStatus.CANCELLED
        task.closed_at = moments.get("deleted_at") if deleted else None
        task.closed_by = row.said("deleted_by") if deleted else None
        task.close_note = row.said("delete_reason" if deleted else "close_reason")
        normalize_moments(row, task, assignee, updated_at)
        if word == HOOKED and task.claim and len(assignee or "") <= LONGEST_NAME:
            task.assigned_agent = assignee
        lists = {name: value for name in LISTS if (value := row.take(name)) is not None}
        task.labels = label_names(lists.get("labels"))
        said = {name: at.isoformat() for name, at in moments.items()}
        rest = self.plan.keep({**said, **row.rest()})
        source = source_of(
            self.plan,
            row,
            status=word,
            priority=said_priority,
            assignee=assignee,
            defer_until=task.scheduled_at and task.scheduled_at.isoformat(),
            updated_at=updated_at and updated_at.isoformat(),
        )
        task.metadata = {"source": source, **lists, **rest}
        self.plan.tasks.append(task)

    def _is_no_issue(self, values: JsonObject) -> bool:
        """Keep a memory, which is a line of its own kind; refuse a kind that is unknown."""
        kind = values.pop("_type", "issue")
        if kind == MEMORY:
            self.plan.about.setdefault("memories", []).append(dict(values))
        elif kind != "issue":
            self._row(values).refused(f"is of the unknown kind {kind!r:.60}")
        return bool(kind != "issue")

    def _row(self, values: JsonObject) -> Row:
        where, findings = f"{self.name}:{values.line}", self.plan.findings
        row = Row(values, where, "task", findings, self.options.zone)
        said = values.get("id")
        if not key_fault(said):
            row.key = self._key(str(said))
        return row

    def _key(self, said: str) -> str:
        return f"{self.prefix}{said}"

    def _hold_back(self, row: Row, task: PlanTask) -> None:
        """Put on hold what is no work: by its flags, by its type, by what nobody knows of it."""
        for flag, reason in FLAGS.items():
            if is_true(row.peek(flag)) or row.peek(flag) == 1:
                not_work(task, reason)
            else:
                row.raw(flag)
        kind = row.peek("issue_type")
        if isinstance(kind, str) and kind.casefold() in NO_WORK:
            not_work(task, kind)
        else:
            hold_type(row, task, kind)
        hold_flags(row, task, {*HARMLESS_FLAGS, *FLAGS})

    def _dependencies(self, row: Row, task: PlanTask, own: str) -> None:
        for said in row.objects("dependencies"):
            edge = Row(said, row.where, "dependency", self.plan.findings, self.options.zone)
            self._dependency(edge, task, own)
        parent = row.take("parent")
        if isinstance(parent, str):
            self.plan.parents.append(PlanParent(task.key, self._key(parent), row.where))
        elif parent is not None:
            row.refuse_value("parent", parent, "is not an id; left out")

    def _dependency(self, said: Row, task: PlanTask, own: str) -> None:
        said.key = task.key
        owner, target = said.text("issue_id"), said.text("depends_on_id")
        kind = said.text("type") or "unnamed"
        if target is None:
            said.refused(f"{kind}: names no issue that it depends on")
        elif owner is not None and owner != own:
            said.refused(f"{kind} {target}: belongs to {owner}, not to the issue of its line")
        elif kind == PARENT:
            self.plan.parents.append(PlanParent(task.key, self._key(target), said.where))
        elif kind in GATING and target.startswith(ELSEWHERE):
            hold(task, f"waits for {target}")
            self._relate(task, target, kind, said, holds=True)
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
            self._relate(task, target, kind, said)

    def _relate(
        self, task: PlanTask, target: str, kind: str, said: Row, *, holds: bool = False
    ) -> None:
        known = self._key(target) if target in self.issues else target
        relation = PlanRelation(task.key, known, kind, said.where, said.rest(), holds)
        self.plan.relations.append(relation)


def _differ(one: JsonObject, other: JsonObject) -> bool:
    """Return whether two lines with one id are different issues, and not two states of one."""
    return any(str(one.get(name)) != str(other.get(name)) for name in IDENTITY)


def _priority(row: Row, said: object) -> int:
    level = ABSENT_PRIORITY if said is None else said
    if isinstance(level, int) and not isinstance(level, bool) and level in PRIORITIES:
        return PRIORITIES[level]
    row.changed(f"its priority {said!r} is not 0 to 4; it counts as {ORDINARY_PRIORITY}")
    return ORDINARY_PRIORITY
