"""Reads a Backlog.md folder: a Markdown file a task, with its fields at the head.

::

    config.yml
    tasks/task-7 - Title.md       work
    completed/, archive/tasks/    what is over, and what was given up
    drafts/, archive/drafts/      what is not decided yet, on hold
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.duplicates import new_key
from taskdb.exchange.files import Files, TooLargeError
from taskdb.exchange.frontmatter import FieldsError, parse_fields
from taskdb.exchange.markdown import body_start, headings, read_markdown
from taskdb.exchange.options import LARGEST, ReadOptions
from taskdb.exchange.plan import RELATIONS, Plan, PlanEdge, PlanParent, PlanTask
from taskdb.exchange.rows import Row, is_text, key_fault
from taskdb.exchange.shaping import (
    hold,
    hold_flags,
    hold_type,
    hold_unread,
    is_open,
    normalize_moments,
    normalize_status,
    source_of,
    take_labels,
    whole_text,
)
from taskdb.exchange.words import priority_of
from taskdb.models.jsontypes import is_list
from taskdb.models.types import DependencyType, TaskStatus

__all__ = ["KIND", "is_folder", "read"]

KIND: Final = "backlog-md"
HOMES: Final = ("", "backlog", ".backlog")
DRAFT: Final = "draft"
# Taken later, with the tasks that they name.
DEPENDENCIES: Final = frozenset({"dependencies"})
# In the order of their precedence: of tasks with one id the first counts.
FOLDERS: Final = ("tasks", "completed", "drafts", "archive/tasks", "archive/drafts")
OTHERS: Final = ("tasks", "completed", "drafts", "archive", "docs", "decisions", "milestones")
CONFIG: Final = ("config.yml", "config.yaml")
# At the root of a project whose folder has another place.
ROOT_CONFIG: Final = "backlog.config.yml"
HOME_FIELD: Final = "backlog_directory"
README: Final = "readme"
LARGEST_ORDER: Final = 2**31 - 1
FRACTION: Final = re.compile(r"-?\d{1,12}\.\d+", re.ASCII)
ORDINARY_PRIORITY: Final = 5
# The tool itself reads a bare @name there, which YAML does not allow.
BARE_NAMES: Final = re.compile(r"^([ \t]*(?:assignee|reporter):)([^\r\n]*)", re.MULTILINE)
BARE_NAME: Final = re.compile(r"(?<![\"'\w])@[^\s,\]\"']+")
SHORT_DATE: Final = re.compile(r"(\d\d)[-/.](\d\d)[-/.](\d\d)")
MARKERS: Final = re.compile(r"^[ \t]*<!-- (?:SECTION:\w+|AC|DOD):(?:BEGIN|END) -->[ \t]*$\n?", re.M)
# The sections of a task, and where each goes: to a column, or under this name to another.
DESCRIPTION: Final = "description"
REQUIREMENTS: Final = {
    "acceptance criteria": "acceptance_criteria",
    "definition of done": "definition_of_done",
}
CONTEXT: Final = {"implementation plan": "implementation_plan"}
NOTES: Final = {
    "implementation notes": "implementation_notes",
    "notes": "implementation_notes",
    "final summary": "final_summary",
}


def is_folder(path: Path) -> bool:
    """Return whether *path* is a Backlog.md folder, or holds one."""
    return _home(path) is not None


def read(path: Path, options: ReadOptions) -> Plan:
    """Return the plan in the folder *path*; the keys are the ids, as they are written.

    Raises ValidationError if it is no such folder.
    """
    home = _home(path)
    if home is None:
        raise ValidationError(
            "path",
            "is no Backlog.md folder",
            where=str(path),
            hint="Name the folder that holds config.yml and tasks",
        )
    return _Reader(path, home, options).plan()


def _home(path: Path) -> Path | None:
    for name in (*HOMES, *_named_home(path)):
        home = path / name
        configs = [*(home / each for each in CONFIG), path / ROOT_CONFIG]
        if any(each.is_file() for each in configs) and any(
            (home / each).is_dir() for each in FOLDERS
        ):
            return home
    return None


def _named_home(path: Path) -> Iterator[str]:
    """Yield the folder inside a project that the file at its root names, if it does."""
    config, files = path / ROOT_CONFIG, Files(path, LARGEST)
    if not config.is_file():
        return
    try:
        named = parse_fields(read_markdown(config, files), lambda _: None).get(HOME_FIELD)
    except (ValidationError, FieldsError):
        return
    if isinstance(named, str) and is_text(named) and files.holds(path / named):
        yield named


class _Reader:
    def __init__(self, path: Path, home: Path, options: ReadOptions) -> None:
        self.home = home
        self.options = options
        self.files = Files(path, options.largest)
        self.read = Plan(KIND, str(path), (RELATIONS, "labels"), any_case=True)
        self.findings = self.read.findings
        # By their ids without regard to case: their keys, and their places.
        self.keys: dict[str, str] = {}
        self.places: dict[str, str] = {}
        self.links: list[tuple[PlanTask, str, str]] = []

    def plan(self) -> Plan:
        for folder in FOLDERS:
            for path in self._markdown(folder):
                self._file(path, folder)
        for task, name, raw in self.links:
            other = self._key_of(task, raw)
            if name == "parent_task_id":
                self.read.parents.append(PlanParent(task.key, other, task.where))
            else:
                self.read.edges.append(
                    PlanEdge(task.key, other, DependencyType.REQUIRES, name, task.where)
                )
        self._name_others()
        return self.read

    def _name_others(self) -> None:
        """Count the files that the tool has for something else, or does not read itself."""
        taken = {path for folder in FOLDERS for path in self._markdown(folder)}
        others = Counter(
            str(path.parent.relative_to(self.home))
            for folder in OTHERS
            for path in sorted((self.home / folder).rglob("[!.]*"))
            if path.is_file() and path not in taken and path.stem.casefold() != README
        )
        self.read.remarks += [
            f"1 file of {folder} is no task; not taken"
            if count == 1
            else f"{count} files of {folder} are no tasks; not taken"
            for folder, count in others.items()
        ]

    def _markdown(self, folder: str) -> Iterator[Path]:
        """Yield the Markdown files of a folder, but its readme."""
        place = self.home / folder
        for path in sorted(place.iterdir()) if place.is_dir() else []:
            if path.suffix == ".md" and path.stem.casefold() != README:
                if is_text(path.name):
                    yield path
                else:
                    reason = "its name must be UTF-8"
                    self.findings.refused("file", ascii(path.name), None, reason)

    def _file(self, path: Path, folder: str) -> None:
        where = str(path.relative_to(self.home))
        try:
            text = read_markdown(path, self.files)
        except TooLargeError:
            raise
        except ValidationError as error:
            place = (error.where or where).removeprefix(f"{self.home}/")
            self.findings.refused("file", place, None, error.rule)
            return
        raw, start = body_start(text, has_fields=True)
        fields = self._fields(raw, where)
        if fields is not None:
            row = Row(fields, where, "task", self.findings, self.options.zone)
            self._task(row, text[start:], folder)

    def _fields(self, raw: str, where: str) -> dict[str, Any] | None:
        """Return the fields at the head of a file, read as the tool reads them if need be."""
        try:
            return self._parsed(raw, where)
        except FieldsError as error:
            place = f"{where}:{error.line + 1}:{error.column}"
            try:
                fields = self._parsed(BARE_NAMES.sub(_quoted, raw), where)
            except FieldsError:
                self.findings.refused("file", place, None, f"its front matter {error.rule}")
                return None
            reason = f"its front matter {error.rule}; read as Backlog.md does, names in quotes"
            self.findings.changed("file", place, None, reason)
            return fields

    def _parsed(self, raw: str, where: str) -> dict[str, Any]:
        return parse_fields(raw, lambda rule: self.findings.changed("file", where, None, rule))

    def _task(self, row: Row, body: str, folder: str) -> None:
        key = self._key(row)
        if key is None:
            return
        title, head = row.title("title", key)
        word, raw_priority = row.text("status"), row.text("priority")
        sections = _sections(body)
        task = PlanTask(
            key=key,
            title=title,
            where=row.where,
            description=whole_text(head, sections.pop(DESCRIPTION, None)),
            priority=_priority(row, raw_priority),
            execution_order=_ordinal(row),
            requirements=_taken(sections, REQUIREMENTS),
            context=_taken(sections, CONTEXT),
            created_at=_date(row, "created_date"),
            completed_at=_date(row, "completed_date"),
        )
        updated_at = _date(row, "updated_date")
        self._status(row, task, word, folder)
        hold_type(row, task, row.peek("type"))
        hold_flags(row, task, DEPENDENCIES)
        if task.status is TaskStatus.COMPLETED and task.completed_at is None:
            # The tool keeps no other time, and its last change was that one, or soon after.
            task.completed_at = updated_at
        assignees = row.take("assignee")
        names = [each for each in (assignees if is_list(assignees) else [assignees]) if each]
        task.created_by = row.name("reporter")
        normalize_moments(row, task, str(names[0]) if names else None, updated_at)
        labels = take_labels(row, task)
        for name in ("dependencies", "parent_task_id"):
            self._link(row, task, name)
        hold_unread(row, task, "dependencies")
        row.take("subtasks")
        source = source_of(
            self.read,
            row,
            status=word,
            folder=folder,
            priority=raw_priority,
            assignee=", ".join(map(str, names)) or None,
            updated_at=updated_at and updated_at.isoformat(),
        )
        rest = {**row.rest(), **(_taken(sections, NOTES) or {}), **sections}
        task.metadata = {"source": source, **labels, **self.read.keep(rest)}
        self.read.tasks.append(task)

    def _link(self, row: Row, task: PlanTask, name: str) -> None:
        raw = row.take(name)
        for each in raw if is_list(raw) else [] if raw is None else [raw]:
            if isinstance(each, str | int) and not isinstance(each, bool):
                self.links.append((task, name, str(each)))
            else:
                row.refuse_value(name, each, "can't be a task's id; left out")

    def _key(self, row: Row) -> str | None:
        raw = row.text("id")
        key = f"{self.options.prefix}{raw}" if raw else raw
        fault = key_fault(key)
        if fault is not None or raw is None or key is None:
            row.refused(fault or "has no key")
            return None
        row.key = key
        plain = raw.casefold()
        if plain in self.places and self.options.rename_duplicates:
            row.key = new_key(self.read, key, row.where)
        elif plain in self.places:
            row.key = self.keys[plain]
            row.refused(f"its id stands at {self.places[plain]} already")
            return None
        else:
            self.keys[plain] = key
            self.places[plain] = row.where
        return row.key

    def _key_of(self, task: PlanTask, raw: str) -> str:
        """Return the key of the task with an id, which may lack the prefix that all ids have."""
        plain = raw.strip().casefold()
        common = task.key.removeprefix(self.options.prefix).partition("-")[0].casefold()
        known = self.keys.get(plain) or self.keys.get(f"{common}-{plain}")
        return known or f"{self.options.prefix}{raw.strip()}"

    def _status(self, row: Row, task: PlanTask, word: str | None, folder: str) -> None:
        if (word or "").casefold() == DRAFT:
            hold(task, word or DRAFT)
        else:
            normalize_status(row, task, word)
        if folder == "completed" and is_open(task):
            task.status = TaskStatus.COMPLETED
            task.blocked_reason = None
        elif folder.startswith("archive") and is_open(task):
            task.status = TaskStatus.ARCHIVED
            task.blocked_reason = None
        elif folder == "drafts" and task.blocked_reason is None:
            hold(task, DRAFT)


def _quoted(line: re.Match[str]) -> str:
    return line[1] + BARE_NAME.sub(lambda name: f'"{name[0]}"', line[2])


def _sections(body: str) -> dict[str, str]:
    """Return the texts under the headings of level 2, by their names in lower case.

    What stands before the first belongs to the description.
    """
    found = [each for each in headings(body) if each.level == 2]
    starts = [*(each.start for each in found), len(body)]
    texts = {DESCRIPTION: body[: starts[0]]}
    for heading, end in zip(found, starts[1:], strict=True):
        name = heading.text.rstrip(":").casefold()
        text = body[heading.start : end].partition("\n")[2]
        texts[name] = f"{texts[name]}\n\n{text}" if texts.get(name, "").strip() else text
    cleaned = {name: MARKERS.sub("", text).strip() for name, text in texts.items()}
    return {name: text for name, text in cleaned.items() if text}


def _taken(sections: dict[str, str], names: dict[str, str]) -> dict[str, Any] | None:
    return {
        ours: sections.pop(theirs) for theirs, ours in names.items() if theirs in sections
    } or None


def _ordinal(row: Row) -> int | None:
    """Return the place of a task; between two neighbours the tool writes one with a fraction."""
    raw = row.peek("ordinal")
    if isinstance(raw, str) and FRACTION.fullmatch(raw):
        row.odd["ordinal"] = raw
        row.put("ordinal", int(raw.partition(".")[0]))
    return row.integer("ordinal", -LARGEST_ORDER, LARGEST_ORDER)


def _date(row: Row, name: str) -> Any:
    raw = row.peek(name)
    short = SHORT_DATE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if short:
        row.put(name, f"20{short[3]}-{short[2]}-{short[1]}")
    return row.time(name)


def _priority(row: Row, raw: str | None) -> int:
    if raw is None:
        return ORDINARY_PRIORITY
    priority = priority_of(raw)
    if priority is None:
        row.changed(f"its priority {raw!r} is unknown; it counts as {ORDINARY_PRIORITY}")
        return ORDINARY_PRIORITY
    return priority
