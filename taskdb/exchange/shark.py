"""Reads a shark-task-manager database: its SQLite file, or its tables as JSON Lines.

`read` takes the file, a folder that holds it, or the folder of the tables. There must be a table
of tasks; any other that is not there is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from taskdb.errors import ValidationError
from taskdb.exchange.duplicates import new_key
from taskdb.exchange.files import Files
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import (
    RELATIONS,
    Plan,
    PlanEdge,
    PlanEpic,
    PlanFeature,
    PlanHistory,
    PlanRelation,
    PlanTask,
)
from taskdb.exchange.rows import Row, key_fault
from taskdb.exchange.shaping import (
    LABELS,
    UNKNOWN_AGENT,
    explain_hold,
    hold,
    hold_flags,
    hold_type,
    hold_unread,
    normalize_moments,
    normalize_status,
    source_of,
    whole_text,
)
from taskdb.exchange.sharkentities import ENTITY_RELATIONSHIPS, TASK, EntityTables
from taskdb.exchange.tables import LineTables, SqliteTables, Tables, is_sqlite
from taskdb.exchange.words import HOLD, status_of
from taskdb.models.types import DependencyType, Level, PlanStatus, TaskStatus

__all__ = ["KIND", "OWN_WORDS", "is_folder", "plan_status", "read", "task_status"]

KIND: Final = "shark"
TASKS: Final = "tasks"
IDEAS: Final = "ideas"
DATABASE: Final = "shark-tasks.db"
LARGEST_ORDER: Final = 2**31 - 1
EPIC_KEY: Final = re.compile("E[0-9]{2,6}")
FEATURE_KEY: Final = re.compile("E[0-9]{2,6}-F[0-9]{2,6}")
# Where in metadata a task's history stands in the source's own words, as far as it needs them.
HISTORY: Final = "source_history"
# The words of a history row: its time, from and to.
HISTORY_WORDS: Final = 3

Id = int | str
Planned = PlanEpic | PlanFeature | PlanTask
Kept = TypeVar("Kept", PlanEpic, PlanFeature, PlanTask)

# Tables whose rows go into their task's metadata, under this name.
# Its workflows begin there.
OWN_WORDS: Final = {"draft": TaskStatus.PENDING}
# A flag that says nothing about whether somebody may work on a task.
HARMLESS_FLAGS: Final = frozenset({"tests_passed"})
TASK_TABLES: Final = {
    "task_notes": "notes",
    "work_sessions": "work_sessions",
    "task_criteria": "criteria",
}
# The ends of a relation, and the words by which its first end waits, or its second one.
ENDS: Final = ("from", "to")
OUTWARD_WAITS: Final = ("depends_on",)
INWARD_WAITS: Final = ("blocks", "question_blocks")
# Tables that link documents to the rows of another.
DOCUMENT_TABLES: Final = {
    "epic_documents": "epic_id",
    "feature_documents": "feature_id",
    "task_documents": "task_id",
}
LISTS: Final = (RELATIONS, HISTORY, LABELS, "documents", *TASK_TABLES.values())
READ_TABLES: Final = frozenset(
    {"epics", "features", "tasks", "task_relationships", "task_history", "documents"}
    | {ENTITY_RELATIONSHIPS, "entity_tags", "tags", "schema_version"}
    | TASK_TABLES.keys()
    | DOCUMENT_TABLES.keys()
)


def is_folder(path: Path) -> bool:
    """Return whether *path* is a folder of tables, or holds the tracker's database."""
    return (path / f"{TASKS}.jsonl").is_file() or (path / DATABASE).is_file()


def read(path: Path, options: ReadOptions) -> Plan:
    """Return the plan in the file or folder *path*.

    The prefix goes before the keys of tasks; those of epics and features have a fixed form
    (``E04``, ``E04-F01``) and stay. Raises ValidationError if *path* can't be read.
    """
    if path.is_dir() and not is_folder(path):
        raise ValidationError(
            "path",
            f"holds no {TASKS}.jsonl and no {DATABASE}",
            where=str(path),
            hint=f"Name the tracker's {DATABASE}, or a folder with its tables as <table>.jsonl",
        )
    files = Files(path, options.largest)
    if is_sqlite(path):
        tables: Tables = SqliteTables(path, files)
    elif path.is_dir() and not (path / f"{TASKS}.jsonl").is_file():
        tables = SqliteTables(path / DATABASE, files)
    else:
        tables = LineTables(path, files)
    return _Reader(path, EntityTables(tables), options).plan()


class _Reader:
    def __init__(self, path: Path, tables: EntityTables, options: ReadOptions) -> None:
        self.tables = tables
        self.prefix = options.prefix
        self.options = options
        self.read = Plan(KIND, str(path), LISTS)
        self.findings = self.read.findings
        # Rows refer to each other by the ids of the tracker's own database.
        self.epics: dict[Id | None, PlanEpic] = {}
        self.features: dict[Id | None, PlanFeature] = {}
        self.tasks: dict[Id | None, PlanTask] = {}
        # Where each key was first met.
        self.places: dict[str, str] = {}

    def plan(self) -> Plan:
        self._take_rows("epics", "epic", self._epic)
        self._take_rows("features", "feature", self._feature)
        self._take_rows("tasks", "task", self._task)
        self._take_rows("task_relationships", "dependency", self._relationship)
        self._take_rows(ENTITY_RELATIONSHIPS, "dependency", self._entity_relationship)
        self._take_rows("entity_tags", "label", self._tagger())
        self._take_rows("task_history", "history", self._history)
        for table, name in TASK_TABLES.items():
            self._take_rows(table, name.rstrip("s"), self._collector(name))
        self._documents()
        self._other_tables()
        refused = any(finding.what == "task" for finding in self.findings)
        if not self.read.tasks and (refused or TASKS not in self.tables.names()):
            raise ValidationError(
                "plan",
                "holds no task of shark",
                where=self.read.path,
                hint=f"Name the tracker's {DATABASE}, or a folder with its tables as <table>.jsonl",
            )
        return self.read

    def _take_rows(self, table: str, what: str, take: Callable[[Row], None]) -> None:
        for row in self._rows(table, what):
            take(row)

    def _rows(self, table: str, what: str) -> Iterator[Row]:
        for values, where in self.tables.rows(table, self.findings):
            yield Row(values, where, what, self.findings, self.options.zone)

    def _epic(self, row: Row) -> None:
        key = self._key(row, form=EPIC_KEY)
        if key is None:
            return
        title, head = row.title("title", key)
        status, priority = row.text("status"), row.text("priority")
        value = row.text("business_value")
        epic = PlanEpic(
            key=key,
            title=title,
            where=row.where,
            description=whole_text(head, row.text("description")),
            status=plan_status(row, status),
            priority=_level(row, "priority", priority) or Level.MEDIUM,
            business_value=_level(row, "business_value", value),
            file_path=row.text("file_path"),
            created_at=row.time("created_at"),
        )
        words = {
            "status": status,
            "priority": priority,
            "updated_at": row.take("updated_at"),
        }
        self._finish(epic, row, words, self.epics)
        self.read.epics.append(epic)

    def _feature(self, row: Row) -> None:
        key = self._key(row, form=FEATURE_KEY)
        if key is None:
            return
        epic = self.epics.get(row.id("epic_id"))
        if epic is None:
            row.refused("its epic is not in epics.jsonl, or was refused")
            return
        if not key.startswith(f"{epic.key}-"):
            row.refused(f"its key does not begin with that of its epic, {epic.key}")
            return
        title, head = row.title("title", key)
        status = row.text("status")
        feature = PlanFeature(
            key=key,
            epic=epic.key,
            title=title,
            where=row.where,
            description=whole_text(head, row.text("description")),
            status=plan_status(row, status),
            execution_order=row.integer("execution_order", -LARGEST_ORDER, LARGEST_ORDER),
            file_path=row.text("file_path"),
            created_at=row.time("created_at"),
        )
        words = {
            "status": status,
            "progress_pct": row.take("progress_pct"),
            "updated_at": row.take("updated_at"),
        }
        self._finish(feature, row, words, self.features)
        self.read.features.append(feature)

    def _task(self, row: Row) -> None:
        key = self._key(row, prefix=self.prefix)
        if key is None:
            return
        feature_id = row.id("feature_id")
        feature = self.features.get(feature_id)
        if feature is None and feature_id is not None:
            row.changed("its feature is not in features.jsonl, or was refused; taken without one")
        title, head = row.title("title", key)
        word = row.text("status")
        priority = row.integer("priority", 1, 10)
        task = PlanTask(
            key=key,
            title=title,
            where=row.where,
            description=whole_text(head, row.text("description")),
            priority=priority or 5,
            feature=feature.key if feature else None,
            agent_type=row.name("agent_type"),
            actual_hours=row.hours("time_spent_minutes"),
            execution_order=row.integer("execution_order", -LARGEST_ORDER, LARGEST_ORDER),
            context=row.json("context_data", dict, "is not a JSON object"),
            file_path=row.text("file_path"),
            created_at=row.time("created_at"),
            started_at=row.time("started_at"),
            blocked_at=row.time("blocked_at"),
            completed_at=row.time("completed_at"),
            closed_by=row.peek_text("completed_by"),
            close_note=row.peek_text("completion_notes"),
        )
        normalize_status(row, task, word, own=OWN_WORDS)
        assignee, reason = row.text("assigned_agent"), row.text("blocked_reason")
        explain_hold(task, word, reason)
        hold_type(row, task, row.peek("type"))
        self._depends_on(row, task)
        hold_flags(row, task, HARMLESS_FLAGS)
        hold_unread(row, task, "depends_on")
        updated_at = row.time("updated_at")
        normalize_moments(row, task, assignee, updated_at)
        words = {
            "status": word,
            "priority": priority,
            "assignee": assignee,
            "blocked_reason": reason,
            "blocked_at": task.blocked_at and task.blocked_at.isoformat(),
            "updated_at": updated_at and updated_at.isoformat(),
        }
        self._finish(task, row, words, self.tasks)
        self.read.tasks.append(task)

    def _key(
        self, row: Row, *, prefix: str = "", form: re.Pattern[str] | None = None
    ) -> str | None:
        """Take the key of a row, or refuse the row."""
        given = row.raw("key")
        key = f"{prefix}{given}" if isinstance(given, str) and given else given
        fault = key_fault(key)
        if fault is None:
            row.key = str(key)
            if row.key in self.places and form is None and self.options.rename_duplicates:
                row.key = new_key(self.read, row.key, row.where)
            elif row.key in self.places:
                fault = f"its key stands at {self.places[row.key]} already"
            elif form is not None and form.fullmatch(row.key) is None:
                fault = "its key must be E04, or E04-F01 for a feature, with 2 to 6 digits"
        if fault is not None or row.key is None:
            row.refused(fault or "has no key")
            return None
        self.places[row.key] = row.where
        return row.key

    def _finish(
        self, taken: Kept, row: Row, words: dict[str, Any], by_id: dict[Id | None, Kept]
    ) -> None:
        """Put what is left of a row, and the source's own words, into its metadata."""
        number = row.id("id")
        if number is not None:
            by_id.setdefault(number, taken)
        rest = self.read.keep(row.rest())
        taken.metadata = {"source": source_of(self.read, row, id=number, **words), **rest}

    def _depends_on(self, row: Row, task: PlanTask) -> None:
        keys: list[object] = row.json("depends_on", list, "is not a list of keys") or []
        for key in keys:
            if isinstance(key, str):
                edge = PlanEdge(
                    task.key,
                    f"{self.prefix}{key}",
                    DependencyType.REQUIRES,
                    "depends_on",
                    row.where,
                )
                self.read.edges.append(edge)
            else:
                self.findings.refused(
                    "dependency", row.where, task.key, f"depends_on names {key!r}, not a key"
                )
                row.unread.add("depends_on")

    def _relationship(self, row: Row) -> None:
        start = self.tasks.get(row.id("from_task_id"))
        end = self.tasks.get(row.id("to_task_id"))
        given = row.text("relationship_type") or "unnamed"
        if start is None or end is None:
            row.refused(f"{given}: one of its tasks is not in tasks.jsonl, or was refused")
            return
        row.key = start.key
        if given == "depends_on":
            waiting, blocker, kind = start, end, DependencyType.REQUIRES
        elif given == "blocks":
            waiting, blocker, kind = end, start, DependencyType.BLOCKS
        else:
            row.take("id")
            self.read.relations.append(
                PlanRelation(start.key, end.key, given, row.where, row.rest())
            )
            return
        created_at = row.time("created_at")
        self.read.edges.append(
            PlanEdge(waiting.key, blocker.key, kind, given, row.where, created_at=created_at)
        )

    def _entity_relationship(self, row: Row) -> None:
        """Take a relation of a task with an entity that is none: it can hold the task back."""
        ends = [(row.text(f"{end}_entity_type"), row.id(f"{end}_entity_id")) for end in ENDS]
        start, end = (self.tasks.get(number) if kind == TASK else None for kind, number in ends)
        given = row.text("relationship_type") or "unnamed"
        task = start or end
        if task is None:
            row.refused(f"{given}: it is between no tasks that were taken")
            return
        row.key = task.key
        row.take("id")
        kind, number = ends[1] if start else ends[0]
        name, over = self.tables.entity(kind or "", number)
        holds = given in (OUTWARD_WAITS if start else INWARD_WAITS)
        if holds and not over:
            hold(task, f"waits for {name}")
        word = given if start else f"inward {given}"
        self.read.relations.append(PlanRelation(task.key, name, word, row.where, row.rest(), holds))

    def _tagger(self) -> Callable[[Row], None]:
        names = {row.id("id"): row.text("name") for row in self._rows("tags", "label")}

        def tag(row: Row) -> None:
            name = names.get(row.id("tag_id"))
            task = self.tasks.get(row.id("entity_id"))
            if row.text("entity_type") != TASK or task is None or name is None:
                row.refused("belongs to no task that was taken, or is no tag")
            else:
                task.labels = tuple(dict.fromkeys((*task.labels, name)))
                task.metadata[LABELS] = list(task.labels)

        return tag

    def _history(self, row: Row) -> None:
        task = self.tasks.get(row.id("task_id"))
        if task is None:
            row.refused("its task is not in tasks.jsonl, or was refused")
            return
        row.key = task.key
        row.take("id")
        given = {"from": row.text("old_status"), "to": row.text("new_status")}
        agent, note = row.text("agent"), row.text("notes")
        forced = bool(row.take("forced"))
        at = row.time("timestamp")
        more = {"at": at and at.isoformat(), **given, **row.rest()}
        if given["to"] is None:
            row.changed(f"names no status; it stands in metadata.{HISTORY}")
            _note_history(task, {**more, "agent": agent, "note": note})
            return
        if at is None:
            row.refused("has no time")
            return
        new = history_status(row, given["to"])
        old = None if given["from"] is None else history_status(row, given["from"])
        if len(more) > HISTORY_WORDS or given != {"from": old, "to": new}:
            _note_history(task, more)
        self.read.history.append(
            PlanHistory(task.key, old, new, agent or UNKNOWN_AGENT, at, note, forced)
        )

    def _collector(self, name: str) -> Callable[[Row], None]:
        def collect(row: Row) -> None:
            task = self.tasks.get(row.id("task_id"))
            if task is None:
                row.refused("its task is not in tasks.jsonl, or was refused")
                return
            row.key = task.key
            row.take("id")
            task.metadata.setdefault(name, []).append(row.rest())

        return collect

    def _documents(self) -> None:
        owners: dict[str, Mapping[Id | None, Planned]] = {
            "epic_id": self.epics,
            "feature_id": self.features,
            "task_id": self.tasks,
        }
        linked: dict[Id | None, list[Planned]] = {}
        for table, column in DOCUMENT_TABLES.items():
            for link in self._rows(table, "document"):
                owner = owners[column].get(link.id(column))
                if owner is None:
                    link.refused(f"its {column} names no row that was taken")
                else:
                    linked.setdefault(link.id("document_id"), []).append(owner)
        for row in self._rows("documents", "document"):
            holders = linked.pop(row.id("id"), [])
            if not holders:
                row.refused("belongs to no epic, feature or task")
                continue
            document = row.rest()
            for holder in holders:
                holder.metadata.setdefault("documents", []).append(document)
        for number, holders in linked.items():
            for holder in holders:
                self.findings.refused(
                    "document", holder.where, holder.key, f"document {number} does not exist"
                )

    def _other_tables(self) -> None:
        for table in self.tables.names():
            if table == IDEAS:
                ideas = [row.rest() for row in self._rows(table, "idea")]
                self.read.about.update({table: ideas} if ideas else {})
            elif table not in READ_TABLES:
                for row in self._rows(table, table.rstrip("s")):
                    key = row.raw("key")
                    row.key = None if key_fault(key) else key
                    row.refused(f"taskdb has no place for the rows of {table}")


def task_status(word: str | None) -> TaskStatus | None:
    """Return what a status of theirs means here, or None if it is none of theirs."""
    return status_of(word, OWN_WORDS) if word else None


def history_status(row: Row, word: str) -> TaskStatus:
    """Return what a status in the history means here; an unknown one is recorded as a hold."""
    status = task_status(word)
    if status is None:
        row.changed(f"its status {word!r} is unknown; it counts as on hold")
        return HOLD
    return status


def plan_status(row: Row, word: str | None) -> PlanStatus:
    """Return what an epic's or feature's status means here; an unknown one is draft."""
    for status in PlanStatus:
        if status == word:
            return status
    row.changed(f"its status {word!r} is none that is known; it counts as draft")
    return PlanStatus.DRAFT


def _level(row: Row, name: str, word: str | None) -> Level | None:
    for level in Level:
        if level == word:
            return level
    if word is not None:
        row.refuse_value(name, word, "is not high, medium or low; left out")
    return None


def _note_history(task: PlanTask, entry: dict[str, Any]) -> None:
    known = {name: value for name, value in entry.items() if value is not None}
    task.metadata.setdefault(HISTORY, []).append(known)
