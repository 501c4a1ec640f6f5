"""Reads a claude-task-master ``tasks.json``, flat or tagged; subtasks become child tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.jsonfiles import JsonNumber, JsonObject, read_document
from taskdb.exchange.plan import Plan, PlanEdge, PlanParent, PlanTask
from taskdb.exchange.rows import Row, is_list, key_fault
from taskdb.exchange.shaping import settle_moments, settle_status, source_of, whole_text
from taskdb.models.types import DependencyType

__all__ = ["KIND", "read"]

KIND: Final = "taskmaster"
# The tag that task-master itself puts a flat file's tasks under.
FLAT_TAG: Final = "master"
PRIORITIES: Final = {"critical": 1, "high": 3, "medium": 5, "low": 8}
ORDINARY_PRIORITY: Final = 5
# Texts that say what the work must meet, under taskdb's names.
REQUIREMENTS: Final = {
    "details": "details",
    "testStrategy": "test_strategy",
    "acceptanceCriteria": "acceptance_criteria",
}
PARENT_NAMES: Final = ("parentTaskId", "parentId")


def read(path: Path, *, prefix: str = "") -> Plan:
    """Return the plan in the file *path*; keys are ``<tag>.<id>[.<sub>]``, *prefix* before them.

    Raises ValidationError, with line and column, if the file is not JSON, and if it holds no
    list of tasks.
    """
    plan = Plan(KIND, str(path))
    document = read_document(path, plan.findings)
    tags = list(_tags(document))
    if not tags:
        raise ValidationError(
            "plan",
            "holds no list of tasks",
            where=f"{path}:1",
            hint='Name a file with {"tasks": [...]}, flat or under a tag',
        )
    reader = _Reader(plan, path.name, prefix)
    for tag, tasks in tags:
        reader.take_tag(tag, tasks)
    reader.refuse_rest(document)
    return plan


def _tags(document: JsonObject) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(document.get("tasks"), list):
        yield FLAT_TAG, document["tasks"]
    for name, value in document.items():
        if _is_tag(value):
            yield name, value["tasks"]


def _is_tag(value: object) -> bool:
    return isinstance(value, JsonObject) and isinstance(value.get("tasks"), list)


class _Reader:
    def __init__(self, plan: Plan, name: str, prefix: str) -> None:
        self.plan = plan
        self.name = name
        self.prefix = prefix
        self.places: dict[str, str] = {}

    def take_tag(self, tag: str, tasks: list[Any]) -> None:
        for number, values in enumerate(tasks, start=1):
            self._take(values, f"{self.prefix}{tag}", None, f"task {number} of tag {tag}")

    def refuse_rest(self, document: JsonObject) -> None:
        """Record what the file says about itself and its tags: no table has a place for it."""
        for name, value in document.items():
            if name == "tasks" and isinstance(value, list):
                continue
            if _is_tag(value):
                for field in value:
                    if field != "tasks":
                        self._refuse_field(f"{name}.{field}", value.line)
            else:
                self._refuse_field(name, document.line)

    def _refuse_field(self, name: str, line: int) -> None:
        reason = f"{name} is about the file, not about a task; taskdb has no place for it"
        self.plan.findings.refused("field", f"{self.name}:{line}", None, reason)

    def _take(self, values: Any, tag: str, parent: PlanTask | None, place: str) -> None:
        """Take a task of a tag, or a subtask of its parent, and what is below it."""
        if not isinstance(values, JsonObject):
            self.plan.findings.refused(
                "task", self.name, None, f"{place} is {values!r:.60}, not an object"
            )
            return
        row = Row(values, f"{self.name}:{values.line}", "task", self.plan.findings)
        key = self._key(row, parent.key if parent else tag, place)
        if key is None:
            return
        title, head = row.title("title", key)
        word, said_priority = row.text("status"), row.text("priority")
        task = PlanTask(
            key=key,
            title=title,
            where=row.where,
            description=whole_text(head, row.text("description")),
            priority=_priority(row, said_priority, parent),
            requirements=_requirements(row),
        )
        assignee, updated_at = row.text("assignee"), row.time("updatedAt")
        settle_status(row, task, word)
        settle_moments(row, task, assignee, updated_at)
        self._dependencies(row, key, tag, parent)
        # As it stands: its objects know their lines.
        subtasks = row.raw("subtasks")
        if parent is not None:
            self.plan.parents.append(PlanParent(key, parent.key, row.where))
            _drop_parent(row, parent)
        source = {
            "status": word,
            "priority": said_priority,
            "assignee": assignee,
            "updated_at": updated_at and updated_at.isoformat(),
        }
        if subtasks is not None and not is_list(subtasks):
            row.refuse_value("subtasks", subtasks, "is not a list; left out")
        rest = self.plan.keep(row.rest())
        task.metadata = {"source": source_of(self.plan, row, **source), **rest}
        self.plan.tasks.append(task)
        for number, subtask in enumerate(subtasks if is_list(subtasks) else [], start=1):
            self._take(subtask, tag, task, f"subtask {number} of {key}")

    def _key(self, row: Row, above: str, place: str) -> str | None:
        said = _id(row.raw("id"))
        if said is None:
            row.refused(f"{place} has no id that is a number or a text")
            return None
        key = f"{above}.{said}"
        fault = key_fault(key)
        if fault is None and key in self.places:
            row.key = key
            fault = f"its id stands at {self.places[key]} already"
        if fault is not None:
            row.refused(fault)
            return None
        row.key = key
        self.places[key] = row.where
        return key

    def _dependencies(self, row: Row, key: str, tag: str, parent: PlanTask | None) -> None:
        said = row.raw("dependencies")
        if said is not None and not is_list(said):
            row.refuse_value("dependencies", said, "is not a list; left out")
        for value in said if is_list(said) else []:
            name = _id(value)
            if name is None or key_fault(name):
                self.plan.findings.refused(
                    "dependency", row.where, key, f"{value!r:.60} can't be a task's id"
                )
                continue
            above = parent.key if parent and _is_sibling(name) else tag
            self.plan.edges.append(
                PlanEdge(
                    key, f"{above}.{name}", DependencyType.REQUIRES, f"dependency {name}", row.where
                )
            )


def _id(value: object) -> str | None:
    """Return an id as it is written, or None if it is neither a number nor a text."""
    if isinstance(value, JsonNumber):
        return value.text
    if isinstance(value, int | str) and not isinstance(value, bool):
        return str(value) or None
    return None


def _is_sibling(name: str) -> bool:
    """Whether a subtask that waits for *name* means another subtask of the same task.

    That is the tool's own rule: a number below 100 does; from 100 on it is a top-level task.
    """
    return len(name) <= 2 and name.isascii() and name.isdecimal()


def _priority(row: Row, said: str | None, parent: PlanTask | None) -> int:
    """Return a task's priority; a subtask without one has its parent's."""
    if said is None:
        return parent.priority if parent else ORDINARY_PRIORITY
    priority = PRIORITIES.get(said)
    if priority is None:
        row.changed(f"its priority {said!r} is none that is known; it counts as medium")
        return ORDINARY_PRIORITY
    return priority


def _requirements(row: Row) -> dict[str, Any] | None:
    said = {ours: row.take(theirs) for theirs, ours in REQUIREMENTS.items()}
    return {name: value for name, value in said.items() if value is not None} or None


def _drop_parent(row: Row, parent: PlanTask) -> None:
    """Leave out what a subtask says of its parent, where it is what the file's nesting says."""
    for name in PARENT_NAMES:
        said = row.take(name)
        if said is not None and not parent.key.endswith(f".{said}"):
            row.refuse_value(name, said, f"is not the task it stands in, {parent.key}")
