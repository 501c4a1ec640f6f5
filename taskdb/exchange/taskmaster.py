"""Reads a claude-task-master ``tasks.json``, flat or tagged; subtasks become child tasks.

A ``.taskmaster`` folder is read with its reports on complexity. As the tool itself does
(`task-master next`), a task is offered whole: its subtasks are on hold until it is completed, or
are offered first if the caller says so.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.duplicates import new_key
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import read_document
from taskdb.exchange.jsonvalues import JsonNumber, JsonObject
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import Plan, PlanEdge, PlanParent, PlanTask
from taskdb.exchange.rows import Row, key_fault
from taskdb.exchange.shaping import (
    hold_flags,
    hold_type,
    hold_unread,
    is_open,
    label_names,
    normalize_moments,
    normalize_status,
    source_of,
    whole_text,
)
from taskdb.models.jsontypes import is_list
from taskdb.models.types import DependencyType, TaskStatus

__all__ = [
    "COMPLEXITY",
    "FLAT_TAG",
    "KIND",
    "ORDINARY_PRIORITY",
    "PRIORITIES",
    "REQUIREMENTS",
    "is_folder",
    "key_of",
    "key_of_blocker",
    "read",
]

KIND: Final = "taskmaster"
# The tag that task-master itself puts a flat file's tasks under.
FLAT_TAG: Final = "master"
PRIORITIES: Final = {"critical": 1, "high": 3, "medium": 5, "low": 8}
ORDINARY_PRIORITY: Final = 5
# Taken later, with the tasks that they name.
DEPENDENCIES: Final = frozenset({"dependencies"})
# `task-master next` lists no other task that nobody has begun.
OFFERED: Final = "pending"
# Texts that say what the work must meet, under taskdb's names.
REQUIREMENTS: Final = {
    "details": "details",
    "testStrategy": "test_strategy",
    "acceptanceCriteria": "acceptance_criteria",
}
PARENT_NAMES: Final = ("parentTaskId", "parentId")
# Where a project has its tasks: today's place, and the one before.
PLACES: Final = (
    "tasks.json",
    "tasks/tasks.json",
    ".taskmaster/tasks/tasks.json",
)
REPORTS: Final = "reports/task-complexity-report*.json"
COMPLEXITY: Final = "complexity_report"


def is_folder(path: Path) -> bool:
    """Return whether *path* is a folder of task-master, or holds one."""
    return _home(path) is not None


def read(path: Path, options: ReadOptions) -> Plan:
    """Return the plan in the file or folder *path*; keys are ``<tag>.<id>[.<sub>]``.

    Raises ValidationError, with line and column, if the file is not JSON, and if it holds no
    list of tasks.
    """
    plan = Plan(KIND, str(path), whole_parents=True, subtasks_first=options.subtasks_first)
    files = Files(path, options.largest)
    home = (_home(path) or path / PLACES[0]) if path.is_dir() else path
    document = read_document(home, plan.findings, files)
    tags = list(_tags(document))
    if not tags:
        raise ValidationError(
            "plan",
            "holds no list of tasks",
            where=f"{home}:1",
            hint='Name a file with {"tasks": [...]}, flat or under a tag',
        )
    reader = _Reader(plan, home.name, options)
    for tag, tasks in tags:
        reader.take_tag(tag, tasks)
    if not plan.tasks and plan.findings.rows:
        raise ValidationError(
            "plan",
            f"holds no task: {plan.findings.rows[0].reason}",
            where=plan.findings.rows[0].where,
            hint='Name a file with {"tasks": [{"id": 1, "title": "..."}]}, flat or under a tag',
        )
    about = _about(document, options.prefix)
    # An empty plan need not say that a tag of it is empty.
    plan.about.update({k: v for k, v in about.items() if plan.tasks or v != {"tasks": []}})
    if path.is_dir():
        for report in sorted(home.parent.parent.glob(REPORTS)):
            reader.take_report(report, read_document(report, plan.findings, files))
    return plan


def _home(path: Path) -> Path | None:
    return next((path / place for place in PLACES if (path / place).is_file()), None)


def _about(document: JsonObject, prefix: str) -> dict[str, Any]:
    """Return what a file says of itself, and of its tags, by the names of the tags.

    Only a tag without any task has its tasks there, an empty list.
    """
    about: dict[str, Any] = {}
    for name, value in document.items():
        if _is_tag(value):
            about[f"{prefix}{name}"] = {
                field: given for field, given in value.items() if field != "tasks" or not given
            }
        elif name != "tasks" or not isinstance(value, list):
            about[name] = value
    return {name: value for name, value in about.items() if value}


def _tags(document: JsonObject) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(document.get("tasks"), list):
        yield FLAT_TAG, document["tasks"]
    for name, value in document.items():
        if _is_tag(value):
            yield name, value["tasks"]


def _is_tag(value: object) -> bool:
    return isinstance(value, JsonObject) and isinstance(value.get("tasks"), list)


class _Reader:
    def __init__(self, plan: Plan, name: str, options: ReadOptions) -> None:
        self.plan = plan
        self.name = name
        self.prefix = options.prefix
        self.options = options
        self.places: dict[str, str] = {}
        self.tasks: dict[str, PlanTask] = {}

    def take_tag(self, tag: str, tasks: list[Any]) -> None:
        for number, values in enumerate(tasks, start=1):
            self._take(
                values, f"{self.prefix}{tag}", None, inside="", place=f"task {number} of tag {tag}"
            )

    def take_report(self, path: Path, report: JsonObject) -> None:
        """Take a report on complexity: ``..._<tag>.json``, or that of the tag master."""
        tag = path.stem.partition("report_")[2] or FLAT_TAG
        listed = report.get("complexityAnalysis")
        for values in listed if is_list(listed) else []:
            given = _id(values.get("taskId")) if isinstance(values, JsonObject) else None
            task = self.tasks.get(f"{self.prefix}{tag}.{given}")
            if task is None:
                where = (
                    f"{path.name}:{values.line}" if isinstance(values, JsonObject) else path.name
                )
                reason = f"is about task {given} of tag {tag}, which is not there"
                self.plan.findings.refused("complexity", where, None, reason)
            else:
                row = Row(values, f"{path.name}:{values.line}", "complexity", self.plan.findings)
                task.metadata[COMPLEXITY] = row.rest()

    def _take(
        self,
        values: Any,
        tag: str,
        parent: PlanTask | None,
        *,
        inside: str,
        place: str,
        beside: Container[str] = (),
    ) -> None:
        """Take a task of a tag, or a subtask of its parent, and what is below it.

        *inside* is the whole id of the parent, as the file has it; *beside* are the keys of the
        parent's subtasks.
        """
        row = self._row(values, place)
        if row is None:
            return
        raw_id = row.raw("id")
        written = _id(raw_id)
        if written is None:
            row.refused(f"{place} has no id that is a number or a text")
            return
        own = written.removeprefix(f"{inside}.") if parent else written
        key = self._key(row, key_of(parent.key if parent else tag, own))
        if key is None:
            return
        task, source = _task(row, key, parent)
        dependencies = self._dependencies(row, task, tag, parent, beside)
        hold_unread(row, task, "dependencies")
        # As it stands: its objects know their lines.
        subtasks = row.raw("subtasks")
        if parent is not None:
            self.plan.parents.append(PlanParent(key, parent.key, row.where))
            _drop_parent(row, parent)
        if subtasks is not None and not is_list(subtasks):
            row.refuse_value("subtasks", subtasks, "is not a list; left out")
        rest = self.plan.keep(row.rest())
        task.labels = label_names(rest.get("tags"))
        source |= {
            "tag": tag,
            "id": None if isinstance(raw_id, int) else written,
            "dependencies": dependencies or None,
        }
        task.metadata = {"source": source_of(self.plan, row, **source), **rest}
        self.plan.tasks.append(task)
        self.tasks[key] = task
        if is_list(subtasks):
            self._take_subtasks(subtasks, tag, task, f"{inside}.{own}" if parent else own)

    def _row(self, values: Any, place: str) -> Row | None:
        """Return the values of a task as a row, or None if they are no object."""
        if isinstance(values, JsonObject):
            where = f"{self.name}:{values.line}"
            return Row(values, where, "task", self.plan.findings, self.options.zone)
        fault = f"{place} is {values!r:.60}, not an object"
        self.plan.findings.refused("task", self.name, None, fault)
        return None

    def _take_subtasks(self, subtasks: list[Any], tag: str, parent: PlanTask, inside: str) -> None:
        """Take what is below a task whose whole id is *inside*."""
        ids = (_id(each.get("id")) for each in subtasks if isinstance(each, JsonObject))
        keys = {key_of(parent.key, each.removeprefix(f"{inside}.")) for each in ids if each}
        for number, subtask in enumerate(subtasks, start=1):
            place = f"subtask {number} of {parent.key}"
            self._take(subtask, tag, parent, inside=inside, place=place, beside=keys)

    def _key(self, row: Row, key: str) -> str | None:
        """Return the key that a task gets, or None if it is refused."""
        fault = key_fault(key)
        if fault is None and key in self.places and self.options.rename_duplicates:
            key = new_key(self.plan, key, row.where)
        elif fault is None and key in self.places:
            row.key = key
            fault = f"its id stands at {self.places[key]} already"
        if fault is not None:
            row.refused(fault)
            return None
        row.key = key
        self.places[key] = row.where
        return key

    def _dependencies(
        self, row: Row, task: PlanTask, tag: str, parent: PlanTask | None, beside: Container[str]
    ) -> list[int | str]:
        """Take what a task waits for, and return it as the file has it."""
        given = row.raw("dependencies")
        if given is not None and not is_list(given):
            row.refuse_value("dependencies", given, "is not a list; left out")
        taken: list[int | str] = []
        for value in given if is_list(given) else []:
            name = _id(value)
            if name is None or key_fault(name):
                self.plan.findings.refused(
                    "dependency", row.where, task.key, f"{value!r:.60} can't be a task's id"
                )
                row.unread.add("dependencies")
                continue
            taken.append(value if isinstance(value, int) else name)
            blocker = key_of_blocker(name, tag, parent.key if parent else None, beside)
            self.plan.edges.append(
                PlanEdge(
                    task.key, blocker, DependencyType.REQUIRES, f"dependency {name}", row.where
                )
            )
        return taken


def key_of(above: str, own: str) -> str:
    """Return the key of the task with the id *own* below a tag, or a task's key."""
    return f"{above}.{own}"


def key_of_blocker(name: str, tag: str, parent: str | None, subtasks: Container[str]) -> str:
    """Return the key of the task that *name* means where a task, below *parent*, waits for it.

    In a subtask a number below 100 means another subtask of the same task, if its key is one of
    *subtasks*; otherwise, and with a dot, it is a task of the tag. That is how the tool lists
    them: `add-dependency` itself writes the plain number of a task into a subtask. Nothing waits
    for the task that it is a part of: such a number, too, can only mean a subtask.
    """
    task = key_of(tag, name)
    if parent and len(name) <= 2 and name.isascii() and name.isdecimal():
        sibling = key_of(parent, name)
        if sibling in subtasks or f"{parent}.".startswith(f"{task}."):
            return sibling
    return task


def _id(value: object) -> str | None:
    """Return an id as it is written, or None if it is neither a number nor a text."""
    if isinstance(value, JsonNumber):
        return value.text
    if isinstance(value, int | str) and not isinstance(value, bool):
        return str(value) or None
    return None


def _task(row: Row, key: str, parent: PlanTask | None) -> tuple[PlanTask, dict[str, Any]]:
    """Return a task, and what the writer needs to give it back as it came."""
    title, head = row.title("title", key)
    word, priority = row.text("status"), row.text("priority")
    task = PlanTask(
        key=key,
        title=title,
        where=row.where,
        description=whole_text(head, row.text("description")),
        priority=_priority(row, priority, parent),
        requirements=_requirements(row),
        created_at=row.time("createdAt"),
        completed_at=row.time("completedAt"),
    )
    assignee, updated_at = row.text("assignee"), row.time("updatedAt")
    # The tool itself takes a task without a status for a pending one.
    normalize_status(row, task, word, absent=TaskStatus.PENDING, offers=OFFERED)
    closed_at = task.completed_at
    if not is_open(task) and closed_at is None:
        # The tool keeps no other time, and its last change was that one, or soon after.
        task.closed_at = updated_at
        task.completed_at = updated_at if task.status is TaskStatus.COMPLETED else None
    hold_type(row, task, row.peek("type"))
    hold_flags(row, task, DEPENDENCIES)
    normalize_moments(row, task, assignee, updated_at)
    return task, {
        "status": word,
        "priority": priority,
        "assignee": assignee,
        "created_at": task.created_at and task.created_at.isoformat(),
        "updated_at": updated_at and updated_at.isoformat(),
        "closed_at": closed_at and closed_at.isoformat(),
    }


def _priority(row: Row, given: str | None, parent: PlanTask | None) -> int:
    """Return a task's priority; a subtask without one has its parent's."""
    if given is None:
        return parent.priority if parent else ORDINARY_PRIORITY
    priority = PRIORITIES.get(given.casefold())
    if priority is None:
        row.changed(f"its priority {given!r} is none that is known; it counts as medium")
        return ORDINARY_PRIORITY
    return priority


def _requirements(row: Row) -> dict[str, Any] | None:
    given = {ours: row.take(theirs) for theirs, ours in REQUIREMENTS.items()}
    return {name: value for name, value in given.items() if value is not None} or None


def _drop_parent(row: Row, parent: PlanTask) -> None:
    """Leave out what a subtask says of its parent, where it is what the file's nesting says."""
    for name in PARENT_NAMES:
        given = row.take(name)
        if given is not None and not parent.key.endswith(f".{given}"):
            row.refuse_value(name, given, f"is not the task it stands in, {parent.key}")
