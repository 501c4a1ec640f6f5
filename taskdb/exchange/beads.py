"""Reads a beads tracker: an ``issues.jsonl``, a ``.beads`` folder or a backup of its tables.

A file has one issue a line, each with the edges that leave it. What beads itself would not list
as ready (`bd ready`) is not offered here either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.beadsbackup import assemble, is_backup
from taskdb.exchange.duplicates import new_key
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import read_lines
from taskdb.exchange.jsonvalues import JsonObject, parse_json
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import (
    RELATIONS,
    Plan,
    PlanEdge,
    PlanGate,
    PlanParent,
    PlanRelation,
    PlanTask,
)
from taskdb.exchange.rows import LONGEST_NAME, Row, is_false, key_fault
from taskdb.exchange.shaping import (
    hold,
    hold_flags,
    hold_type,
    hold_unread,
    label_names,
    normalize_moments,
    normalize_status,
    not_work,
    source_of,
    whole_text,
)
from taskdb.exchange.words import normalize_word
from taskdb.models.jsontypes import is_dict, is_list
from taskdb.models.types import DependencyType, TaskStatus

__all__ = [
    "HOOKED",
    "KIND",
    "MEMORY",
    "PARENT",
    "PRIORITIES",
    "REQUIREMENTS",
    "WAITS_FOR",
    "also_blocks",
    "is_folder",
    "read",
]

KIND: Final = "beads"
FILES: Final = ("issues.jsonl", "beads.jsonl")
PRIORITIES: Final = {0: 1, 1: 3, 2: 5, 3: 7, 4: 9}
# `bd ready` lists no other issue that nobody has begun.
OFFERED: Final = "open"
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
# Waits for the children of the issue that it names, whatever the status of that one is.
WAITS_FOR: Final = "waits_for"
# In the metadata of such an edge: the first child that is closed is enough, and: the issue
# itself must be closed as well.
GATE: Final = "gate"
ANY_CHILDREN: Final = "any-children"
ALSO_BLOCKS: Final = "also_blocks"
# The label of an issue that waits for a person's decision.
HUMAN: Final = "human"
GATING: Final = frozenset({"blocks", "conditional_blocks", WAITS_FOR})
UNNAMED: Final = "unnamed"
PINNED: Final = "pinned"
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

    Raises ValidationError if it can't be read, or if there are lines and none is an issue.
    """
    reader = _Reader(path, options)
    for values in reader.last_of_each():
        reader.take(values)
    reader.take_gates()
    if not reader.plan.tasks and reader.plan.findings.rows:
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
        # An issue that is not there blocks nothing in beads.
        lists = (RELATIONS, *LISTS)
        self.plan = Plan(KIND, str(path), lists, children_wait=True, unknown_holds=False)
        self.home = (_home(path) or path / FILES[0]) if path.is_dir() else path
        self.name = FILES[0] if self.home.is_dir() else self.home.name
        self.issues: dict[str, JsonObject] = {}
        # The keys of different issues under one id, by their places.
        self.new_keys: dict[str, str] = {}
        # Waits for children, which are not known yet.
        self.gates: list[PlanGate] = []

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
            given: object = values.get("id")
            fault = key_fault(
                f"{self.prefix}{given}" if isinstance(given, str) and given else given
            )
            if fault is not None or not isinstance(given, str):
                row.refused(fault or "has no key")
                continue
            earlier = self.issues.pop(given, None)
            if earlier is not None:
                replaced = self._row(earlier)
                if self.options.rename_duplicates and _differ(earlier, values):
                    self.new_keys[replaced.where] = new_key(
                        self.plan, self._key(given), replaced.where
                    )
                    apart.append(earlier)
                else:
                    reason = f"line {values.line} has the same id, and the last one counts"
                    replaced.refused(reason)
            self.issues[given] = values
        return [*apart, *self.issues.values()]

    def take(self, values: JsonObject) -> None:
        row = self._row(values)
        raw_id: str = row.raw("id")
        key = row.key = self.new_keys.get(row.where) or self._key(raw_id)
        title, head = row.title("title", key)
        word = row.text("status")
        raw_priority: Any = row.take("priority")
        task = PlanTask(
            key=key,
            title=title,
            where=row.where,
            description=whole_text(head, row.text("description")),
            priority=_priority(row, raw_priority),
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
        normalize_status(row, task, word, absent=TaskStatus.PENDING, offers=OFFERED)
        self._dependencies(row, task, raw_id)
        hold_unread(row, task, "defer_until", "dependencies")
        if task.blocked_reason is not None:
            self.plan.holding[key] = task.blocked_reason
        self._hold_back(row, task)
        # A tombstone was closed when it was deleted; both stay in the metadata.
        moments = {name: at for name in OTHER_MOMENTS if (at := row.time(name))}
        deleted = task.status is TaskStatus.CANCELLED
        task.closed_at = moments.get("deleted_at") if deleted else None
        task.closed_by = row.peek_text("deleted_by") if deleted else None
        task.close_note = row.peek_text("delete_reason" if deleted else "close_reason")
        normalize_moments(row, task, assignee, updated_at)
        if word == HOOKED and task.claim and len(assignee or "") <= LONGEST_NAME:
            task.assigned_agent = assignee
        lists = {name: value for name in LISTS if (value := row.take(name)) is not None}
        task.labels = label_names(lists.get("labels"))
        given = {name: at.isoformat() for name, at in moments.items()}
        rest = self.plan.keep({**given, **row.rest()})
        source = source_of(
            self.plan,
            row,
            status=word,
            priority=raw_priority,
            assignee=assignee,
            defer_until=task.scheduled_at and task.scheduled_at.isoformat(),
            updated_at=updated_at and updated_at.isoformat(),
        )
        task.metadata = {"source": source, **lists, **rest}
        self.plan.tasks.append(task)

    def take_gates(self) -> None:
        """Take the waits for children of an issue, once all children are known."""
        pinned = {self._key(given) for given in self.issues if self._is_pinned(given)}
        keys = {task.key for task in self.plan.tasks} - pinned
        children: dict[str, list[str]] = {}
        for link in self.plan.parents:
            if link.task in keys:
                children.setdefault(link.parent, []).append(link.task)
        for gate in self.gates:
            found = tuple(dict.fromkeys(children.get(gate.parent, ())))
            whole = gate.whole and gate.parent in keys
            self.plan.gates.append(replace(gate, children=found, whole=whole))

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
        given = values.get("id")
        if not key_fault(given):
            row.key = self._key(str(given))
        return row

    def _key(self, given: str) -> str:
        return f"{self.prefix}{given}"

    def _hold_back(self, row: Row, task: PlanTask) -> None:
        """Put on hold what is no work: by its flags, by its type, by what nobody knows of it."""
        for flag, reason in FLAGS.items():
            if is_false(row.peek(flag)):
                row.raw(flag)
            else:
                not_work(task, reason)
        kind = row.peek("issue_type")
        if isinstance(kind, str) and kind.casefold() in NO_WORK:
            not_work(task, kind)
        else:
            hold_type(row, task, kind)
        hold_flags(row, task, {*HARMLESS_FLAGS, *FLAGS})
        labels = row.peek("labels")
        if is_list(labels) and HUMAN in labels:
            hold(task, HUMAN)

    def _dependencies(self, row: Row, task: PlanTask, own: str) -> None:
        for given in row.objects("dependencies"):
            edge = Row(given, row.where, "dependency", self.plan.findings, self.options.zone)
            self._dependency(edge, task, own)
            row.unread |= {"dependencies"} if "depends_on_id" in edge.unread else set()
        parent = row.take("parent")
        if isinstance(parent, str):
            self.plan.parents.append(PlanParent(task.key, self._key(parent), row.where))
        elif parent is not None:
            row.refuse_value("parent", parent, "is not an id; left out")

    def _dependency(self, given: Row, task: PlanTask, own: str) -> None:
        given.key = task.key
        owner, target = given.text("issue_id"), given.text("depends_on_id")
        kind = given.text("type") or UNNAMED
        plain = normalize_word(kind)
        if target is None:
            given.refused(f"{kind}: names no issue that it depends on")
            if plain in GATING or kind == UNNAMED:
                given.unread.add("depends_on_id")
        elif owner is not None and owner != own:
            given.refused(f"{kind} {target}: belongs to {owner}, not to the issue of its line")
        elif plain == normalize_word(PARENT):
            self.plan.parents.append(PlanParent(task.key, self._key(target), given.where))
        elif plain in GATING and target.startswith(ELSEWHERE):
            hold(task, f"waits for {target}")
            self._relate(task, target, kind, given, holds=True)
        elif plain == WAITS_FOR:
            metadata = given.peek("metadata")
            is_any = _metadata(metadata).get(GATE) == ANY_CHILDREN
            whole = also_blocks(metadata)
            self.gates.append(PlanGate(task.key, self._key(target), (), is_any, whole))
            self._relate(task, target, kind, given, holds=True)
        elif plain in GATING and self._is_pinned(target):
            self._relate(task, target, kind, given, holds=True)
        elif plain in GATING:
            created_at, created_by = given.time("created_at"), given.text("created_by")
            self.plan.edges.append(
                PlanEdge(
                    task.key,
                    self._key(target),
                    DependencyType.BLOCKS,
                    kind,
                    given.where,
                    created_by,
                    created_at,
                )
            )
        else:
            self._relate(task, target, kind, given)

    def _is_pinned(self, target: str) -> bool:
        """Return whether an issue is open for good: nothing waits for such a one in beads."""
        issue = self.issues.get(target)
        word: object = issue.get("status") if issue else None
        return isinstance(word, str) and normalize_word(word) == PINNED

    def _relate(
        self, task: PlanTask, target: str, kind: str, given: Row, *, holds: bool = False
    ) -> None:
        known = self._key(target) if target in self.issues else target
        relation = PlanRelation(task.key, known, kind, given.where, given.rest(), holds)
        self.plan.relations.append(relation)


def _differ(one: JsonObject, other: JsonObject) -> bool:
    """Return whether two lines with one id are different issues, and not two states of one."""
    return any(str(one.get(name)) != str(other.get(name)) for name in IDENTITY)


def also_blocks(metadata: Any) -> bool:
    """Return whether a wait with this metadata is for the issue too, not for its children alone."""
    return _metadata(metadata).get(ALSO_BLOCKS) in (True, "true")


def _metadata(given: Any) -> Mapping[str, Any]:
    """Return the metadata of an edge, which a file has as JSON in a text, or as an object."""
    if isinstance(given, str):
        try:
            given = parse_json(given, lambda _: None)
        except ValueError:
            return {}
    return given if is_dict(given) else {}


def _priority(row: Row, given: object) -> int:
    level = ABSENT_PRIORITY if given is None else given
    if isinstance(level, int) and not isinstance(level, bool) and level in PRIORITIES:
        return PRIORITIES[level]
    row.changed(f"its priority {given!r} is not 0 to 4; it counts as {ORDINARY_PRIORITY}")
    return ORDINARY_PRIORITY
