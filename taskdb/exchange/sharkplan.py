"""Reads a shark-task-manager plan folder: epics, features and tasks as Markdown files.

::

    E04-login/epic.md                         the epic, and its specification
    E04-login/requirements.md                 another of its specifications
    E04-login/E04-F01-forms/prd.md            the feature (or feature.md), and its specification
    E04-login/E04-F01-forms/02-design.md      another of its specifications
    E04-login/E04-F01-forms/tasks/T-E04-F01-001.md             a task
    E04-login/E04-F01-forms/tasks/T-E04-F01-001-QA-REPORT.md   a file of that task

`read` takes the folder that holds the epics' folders, or one of those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.duplicates import new_key
from taskdb.exchange.files import Files, TooLargeError
from taskdb.exchange.frontmatter import FieldsError, parse_fields
from taskdb.exchange.markdown import body_start, headings, read_markdown
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import (
    Plan,
    PlanEdge,
    PlanEpic,
    PlanFeature,
    PlanFile,
    PlanPart,
    PlanSpec,
    PlanTask,
)
from taskdb.exchange.rows import Row, is_text, key_fault
from taskdb.exchange.shaping import (
    explain_hold,
    hold_flags,
    hold_type,
    hold_unread,
    normalize_moments,
    normalize_status,
    source_of,
)
from taskdb.exchange.shark import HARMLESS_FLAGS, OWN_WORDS, plan_status
from taskdb.exchange.specfile import LONGEST_PATH, spec_text
from taskdb.models.jsontypes import is_list
from taskdb.models.types import DependencyType, SpecType

__all__ = ["KIND", "is_plan", "read"]

KIND: Final = "shark-plan"
EPIC_FOLDER: Final = re.compile(r"(?P<key>E[0-9]{2,6})(?:-.*)?")
FEATURE_FOLDER: Final = re.compile(r"(?P<key>E[0-9]{2,6}-F[0-9]{2,6})(?:-.*)?")
TASK_FILE: Final = re.compile(r"(?P<key>T-E[0-9]{2,6}-F[0-9]{2,6}-[0-9]{3,6})(?P<rest>.*)\.md")
EPIC_FILES: Final = ("epic.md",)
FEATURE_FILES: Final = ("prd.md", "feature.md")
TASKS: Final = "tasks"
# A label before the title in a first heading.
LABEL: Final = re.compile(r"(?:epic|feature|task|prd)\s*:\s*", re.IGNORECASE)
EFFORT: Final = re.compile(
    r"(?P<number>[0-9]{1,6}(?:\.[0-9]{1,4})?)\s*(?:(?P<hours>h|hrs?|hours?)|m|mins?|minutes?)",
    re.IGNORECASE,
)
LONGEST_SCOPE: Final = 200


@dataclass(slots=True)
class _Document:
    """A Markdown file that was read: its fields, the rest, and its first heading of level 1."""

    path: Path
    where: str
    text: str
    fields: dict[str, Any]
    body: str
    heading: str | None


def read(path: Path, options: ReadOptions) -> Plan:
    """Return the plan in the folder *path*.

    The prefix goes before the keys of tasks; those of epics and features have a fixed form
    (``E04``, ``E04-F01``) and stay. Raises ValidationError if it holds no epic's folder.
    """
    if not is_plan(path):
        raise ValidationError(
            "path",
            "is no folder of epics",
            where=str(path),
            hint="Name the folder that holds folders such as E04-login, or one of those",
        )
    return _Reader(path, options).plan()


def is_plan(path: Path) -> bool:
    """Return whether *path* is a folder of epics, or an epic's folder."""
    return path.is_dir() and bool(_epic_folders(path))


def _epic_folders(path: Path) -> dict[Path, str]:
    """Return the folders of epics, with their keys: *path* itself, or what is in it."""
    named = [path] if _first_of(path, EPIC_FILES) else sorted(path.iterdir())
    return {
        folder: matched["key"]
        for folder in named
        if (matched := EPIC_FOLDER.fullmatch(folder.name)) and folder.is_dir()
    }


def _first_of(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Return the file that says what a folder is, if it has one."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


class _Reader:
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path = path
        self.prefix = options.prefix
        self.options = options
        self.files = Files(path, options.largest)
        self.read = Plan(KIND, str(path))
        self.findings = self.read.findings
        # Where each key was first met.
        self.places: dict[str, str] = {}

    def plan(self) -> Plan:
        epics = _epic_folders(self.path)
        if self.path in epics:
            self._epic(self.path, epics[self.path])
        else:
            for entry in self._entries(self.path):
                if entry in epics:
                    self._epic(entry, epics[entry])
                else:
                    self._specs(entry, None)
        return self.read

    def _entries(self, folder: Path) -> Iterator[Path]:
        """Yield what is in a folder that is Markdown or a folder; refuse the rest."""
        for entry in sorted(folder.iterdir()):
            where = self._where(entry)
            if not is_text(entry.name) or len(str(entry)) > LONGEST_PATH:
                reason = f"its path must be UTF-8 and have at most {LONGEST_PATH} characters"
                self.findings.refused("file", ascii(where), None, reason)
            elif entry.is_dir():
                if entry.is_symlink():
                    self.findings.refused("folder", where, None, "is a link to a folder")
                else:
                    yield entry
            elif entry.suffix == ".md" and entry.is_file():
                yield entry
            else:
                self.findings.refused("file", where, None, "is not a Markdown file (.md)")

    def _where(self, path: Path) -> str:
        return str(path.relative_to(self.path))

    def _epic(self, folder: Path, key: str) -> None:
        main_file = _first_of(folder, EPIC_FILES)
        main = self._document(main_file) if main_file else None
        row = self._row(main, "epic", folder)
        row.key = key
        if not self._is_first(row, key, "; nothing in its folder is taken"):
            return
        self._agrees(row, "epic_key", key)
        raw = row.text("status")
        epic = PlanEpic(
            key=key,
            title=self._title(row, key, main),
            where=row.where,
            description=row.text("description"),
            file_path=str(main.path) if main else None,
            created_at=_time(row, "created"),
        )
        if raw is not None:
            epic.status = plan_status(row, raw)
        epic.metadata = self._metadata(row, status=raw)
        self.read.epics.append(epic)
        for entry in self._entries(folder):
            matched = FEATURE_FOLDER.fullmatch(entry.name)
            if matched and entry.is_dir() and matched["key"].startswith(f"{key}-"):
                self._feature(entry, matched["key"], key)
            elif matched and entry.is_dir():
                reason = f"is a feature's folder, and not one of {key}"
                self.findings.refused("folder", self._where(entry), matched["key"], reason)
            elif entry != main_file:
                self._specs(entry, key)
        if main is not None:
            self._spec(main, key)

    def _feature(self, folder: Path, key: str, epic: str) -> None:
        main_file = _first_of(folder, FEATURE_FILES)
        main = self._document(main_file) if main_file else None
        row = self._row(main, "feature", folder)
        row.key = key
        if not self._is_first(row, key, "; nothing in its folder is taken"):
            return
        self._agrees(row, "feature_key", key)
        self._agrees(row, "epic_key", epic)
        raw = row.text("status")
        feature = PlanFeature(
            key=key,
            epic=epic,
            title=self._title(row, key, main),
            where=row.where,
            description=row.text("description"),
            file_path=str(main.path) if main else None,
            created_at=_time(row, "created"),
        )
        if raw is not None:
            feature.status = plan_status(row, raw)
        feature.metadata = self._metadata(row, status=raw)
        self.read.features.append(feature)
        tasks: list[PlanTask] = []
        reports: list[tuple[str, _Document]] = []
        for entry in self._entries(folder):
            if entry.name == TASKS and entry.is_dir():
                self._tasks(entry, feature, tasks, reports)
            elif entry != main_file:
                self._specs(entry, key)
        self._reports(feature, reports)
        if main is not None:
            self._parts(self._spec(main, key), tasks)

    def _tasks(
        self,
        folder: Path,
        feature: PlanFeature,
        tasks: list[PlanTask],
        reports: list[tuple[str, _Document]],
    ) -> None:
        for entry in self._entries(folder):
            named = TASK_FILE.fullmatch(entry.name)
            if entry.is_dir():
                self._tasks(entry, feature, tasks, reports)
            elif named is None:
                self._specs(entry, feature.key)
            elif document := self._document(entry):
                if named["rest"] and "status" not in document.fields:
                    reports.append((named["key"], document))
                elif task := self._task(document, named["key"], feature):
                    tasks.append(task)

    def _task(self, document: _Document, named: str, feature: PlanFeature) -> PlanTask | None:
        row = self._row(document, "task", document.path)
        raw, other = row.text("key"), row.text("task_key")
        key = f"{self.prefix}{raw or other or named}"
        if fault := key_fault(key):
            row.refused(fault)
            return None
        row.key = key
        if key in self.places and self.options.rename_duplicates:
            key = row.key = new_key(self.read, key, row.where)
        if not self._is_first(row, key):
            return None
        if raw and other and raw != other:
            row.odd["task_key"] = other
            row.changed(f"its task_key is {other}; its key counts")
        if (raw or other or named) != named:
            row.changed(f"its file is named {named}; the key in it counts")
        self._agrees(row, "epic", feature.epic)
        self._agrees(row, "feature", feature.key)
        word = row.text("status")
        task = PlanTask(
            key=key,
            title=self._title(row, key, document),
            where=row.where,
            description=document.body.strip("\r\n") or None,
            priority=row.integer("priority", 1, 10) or 5,
            feature=feature.key,
            agent_type=row.name("agent") or row.name("agent_type"),
            estimated_hours=_effort(row, "estimated_time"),
            execution_order=row.integer("execution_order", -(2**31), 2**31 - 1),
            file_path=str(document.path),
            created_at=_time(row, "created"),
            started_at=_time(row, "started"),
            completed_at=_time(row, "completed"),
        )
        normalize_status(row, task, word, own=OWN_WORDS)
        assignee, reason = row.text("assigned_agent"), row.text("blocked_reason")
        explain_hold(task, word, reason)
        hold_type(row, task, row.peek("type"))
        updated_at = _time(row, "updated")
        for name in ("dependencies", "depends_on"):
            self._depends_on(row, task, name)
            hold_unread(row, task, name)
        hold_flags(row, task, HARMLESS_FLAGS)
        normalize_moments(row, task, assignee, updated_at)
        task.metadata = self._metadata(
            row,
            status=word,
            assignee=assignee,
            blocked_reason=reason,
            updated_at=updated_at and updated_at.isoformat(),
        )
        self.read.tasks.append(task)
        return task

    def _depends_on(self, row: Row, task: PlanTask, name: str) -> None:
        raw = row.take(name)
        keys: list[Any] = raw if is_list(raw) else [] if raw is None else [raw]
        for key in keys:
            if isinstance(key, str):
                self.read.edges.append(
                    PlanEdge(
                        task.key,
                        f"{self.prefix}{key}",
                        DependencyType.REQUIRES,
                        name,
                        row.where,
                    )
                )
            else:
                self.findings.refused(
                    "dependency", row.where, task.key, f"{name} names {key!r}, not a key"
                )
                row.unread.add(name)

    def _reports(self, feature: PlanFeature, reports: list[tuple[str, _Document]]) -> None:
        """Give each report to its task; one whose task is not there is a specification."""
        tasks = {task.key for task in self.read.tasks}
        for named, document in reports:
            key = f"{self.prefix}{named}"
            if key not in tasks:
                reason = f"no file describes {key}; it is a specification of {feature.key}"
                self.findings.changed("file", document.where, key, reason)
                self._spec(document, feature.key)
                continue
            raw = document.fields.get("task_key", named)
            if raw != named:
                reason = f"its task_key is {raw}; its file is named {named}, and that counts"
                self.findings.changed("file", document.where, key, reason)
            self.read.files.append(PlanFile(key, document.where, document.text, document.where))

    def _specs(self, entry: Path, item: str | None) -> None:
        """Take a file, or all in a folder, as specifications of an epic or a feature."""
        if entry.is_dir():
            for inner in self._entries(entry):
                self._specs(inner, item)
        elif document := self._document(entry, with_fields=False):
            self._spec(document, item)

    def _spec(self, document: _Document, item: str | None) -> PlanSpec:
        text = spec_text(document.text, name=document.path.stem)
        if text.number is not None:
            reason = f"names itself SPEC-{text.number}; it gets the next number"
            self.findings.changed("spec", document.where, item, reason)
        spec = PlanSpec(str(document.path), text, document.where, item)
        self.read.specs.append(spec)
        return spec

    def _parts(self, spec: PlanSpec, tasks: list[PlanTask]) -> None:
        """Tie the tasks of a feature to its specification; of one with phases, to their phases."""
        for task in tasks:
            scope = task.title[:LONGEST_SCOPE]
            if spec.text.spec_type is SpecType.HIERARCHICAL:
                key = re.compile(rf"(?<![\w-]){re.escape(task.key[len(self.prefix) :])}(?![\w-])")
                naming = [part.name for part in spec.text.parts if key.search(part.content)]
                if len(naming) != 1:
                    reason = f"is named by {len(naming)} phases of {spec.where}, and tied to none"
                    self.findings.changed("task", task.where, task.key, reason)
                    continue
                scope = naming[0]
            self.read.parts.append(PlanPart(task.key, spec.file_path, scope))

    def _document(self, path: Path, *, with_fields: bool = True) -> _Document | None:
        """Read a file, or refuse it; *with_fields* its fields must be in order."""
        where = self._where(path)
        try:
            text = read_markdown(path, self.files)
        except TooLargeError:
            raise
        except ValidationError as error:
            place = (error.where or where).removeprefix(f"{self.path}/")
            self.findings.refused("file", place, None, error.rule)
            return None
        raw, start = body_start(text)
        fields: dict[str, Any] = {}
        if with_fields:
            try:
                fields = parse_fields(
                    raw, lambda rule: self.findings.changed("file", where, None, rule)
                )
            except FieldsError as error:
                place = f"{where}:{error.line + 1}:{error.column}"
                self.findings.refused("file", place, None, f"its front matter {error.rule}")
                return None
        first = next((each.text for each in headings(text) if each.level == 1), None)
        return _Document(path, where, text, fields, text[start:], first)

    def _row(self, document: _Document | None, what: str, path: Path) -> Row:
        fields = document.fields if document else {}
        where = document.where if document else self._where(path)
        return Row(fields, where, what, self.findings, self.options.zone)

    def _title(self, row: Row, key: str, document: _Document | None) -> str:
        """Take the title: the field's, or else the first heading's, without its label."""
        fields = {"title": row.text("title")}
        if fields["title"] is None and document is not None and document.heading:
            fields["title"] = LABEL.sub("", document.heading, count=1)
        titled = Row(fields, row.where, row.what, self.findings)
        titled.key = key
        title, whole = titled.title("title", key)
        if whole is not None:
            row.odd["title"] = whole
        return title

    def _agrees(self, row: Row, name: str, key: str) -> None:
        """Compare what a file says it belongs to with the folder it is in, which counts."""
        raw = row.text(name)
        if raw is None:
            return
        row.odd[name] = raw
        last = raw.rstrip("/").rpartition("/")[2]
        if last != key and not last.startswith(f"{key}-"):
            row.changed(f"its {name} is {raw}; it is in the folder of {key}, and that counts")

    def _is_first(self, row: Row, key: str, more: str = "") -> bool:
        if key in self.places:
            row.refused(f"its key stands at {self.places[key]} already{more}")
            return False
        self.places[key] = row.where
        return True

    def _metadata(self, row: Row, **words: Any) -> dict[str, Any]:
        rest = self.read.keep(row.rest())
        return {"source": source_of(self.read, row, **words), **rest}


def _time(row: Row, name: str) -> Any:
    """Take a moment under either of its names: ``created_at`` or ``created``."""
    exact, plain = row.time(f"{name}_at"), row.time(name)
    return exact or plain


def _effort(row: Row, name: str) -> Decimal | None:
    """Take a number of hours or minutes, as ``8 hours``."""
    raw = row.text(name)
    if raw is None:
        return None
    matched = EFFORT.fullmatch(raw.strip())
    if matched is None:
        row.refuse_value(name, raw, "is not a number of hours or minutes; left out")
        return None
    number = Decimal(matched["number"])
    return (number if matched["hours"] else number / 60).quantize(Decimal("0.01"))
