"""A plan as the readers hand it on: what a file says, in taskdb's words and without a database.

Rows refer to each other by key. Everything an importer could not take as it stands is in
`findings`; fields without a column of their own are in each row's `metadata`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from taskdb.exchange.report import Findings
from taskdb.exchange.specfile import SpecText
from taskdb.models.types import DependencyType, Level, PlanStatus, TaskStatus

__all__ = [
    "ABOUT",
    "RELATIONS",
    "SOURCE",
    "LapsedClaim",
    "Plan",
    "PlanEdge",
    "PlanEpic",
    "PlanFeature",
    "PlanFile",
    "PlanHistory",
    "PlanParent",
    "PlanPart",
    "PlanRelation",
    "PlanSpec",
    "PlanTask",
]

Metadata = dict[str, Any]

# Where in metadata the source's own words stand, and relations that are no dependencies.
SOURCE: Final = "source"
# Where the first row of a plan has what the file says of itself.
ABOUT: Final = "about_file"
RELATIONS: Final = "relations"


@dataclass(slots=True)
class PlanEpic:
    """An epic of a file."""

    key: str
    title: str
    where: str
    description: str | None = None
    status: PlanStatus = PlanStatus.DRAFT
    priority: Level = Level.MEDIUM
    business_value: Level | None = None
    file_path: str | None = None
    created_by: str | None = None
    created_at: datetime | None = None
    metadata: Metadata = field(default_factory=Metadata)


@dataclass(slots=True)
class PlanFeature:
    """A feature of a file; `epic` is its epic's key."""

    key: str
    epic: str
    title: str
    where: str
    description: str | None = None
    status: PlanStatus = PlanStatus.DRAFT
    execution_order: int | None = None
    file_path: str | None = None
    created_by: str | None = None
    created_at: datetime | None = None
    metadata: Metadata = field(default_factory=Metadata)


@dataclass(slots=True)
class LapsedClaim:
    """Agent at work on a task when the file was written, and since when: anyone may take over."""

    agent: str
    claimed_at: datetime | None


@dataclass(slots=True)
class PlanTask:
    """A task of a file; `feature` and `parent` are keys."""

    key: str
    title: str
    where: str
    description: str | None = None
    status: TaskStatus = TaskStatus.PENDING
    priority: int = 5
    feature: str | None = None
    parent: str | None = None
    agent_type: str | None = None
    assigned_agent: str | None = None
    estimated_hours: Decimal | None = None
    actual_hours: Decimal | None = None
    execution_order: int | None = None
    requirements: Metadata | None = None
    context: Metadata | None = None
    metadata: Metadata = field(default_factory=Metadata)
    file_path: str | None = None
    blocked_reason: str | None = None
    scheduled_at: datetime | None = None
    created_by: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    blocked_at: datetime | None = None
    completed_at: datetime | None = None
    claim: LapsedClaim | None = None
    # As the file has them, also where the database demands others: who works or worked on it,
    # when it was begun, last changed and closed, by whom and why.
    worker: str | None = None
    changed_at: datetime | None = None
    begun_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    close_note: str | None = None
    labels: tuple[str, ...] = ()
    # The reason why it is no work, whatever its status: a gate issue, a template, an unknown type.
    no_work: str | None = None


@dataclass(slots=True)
class PlanEdge:
    """`task` waits for `depends_on`, which in the file's own words is `word`.

    A `derived` edge is not in the file: it follows from the task's place under its parent. Of an
    `outward` one it is no fault of the file that it does not have `depends_on`.
    """

    task: str
    depends_on: str
    dependency_type: DependencyType
    word: str
    where: str
    created_by: str | None = None
    created_at: datetime | None = None
    derived: bool = False
    outward: bool = False


@dataclass(slots=True)
class PlanRelation:
    """`task` is related to `other`, whose key may be that of no task; `more` is the rest of it.

    One that `holds` its task back does so as a hold.
    """

    task: str
    other: str
    word: str
    where: str
    more: Metadata = field(default_factory=Metadata)
    holds: bool = False


@dataclass(slots=True)
class PlanGate:
    """`task` waits for the `children` of `parent`: for all, or for the first that is done.

    A `whole` one waits for `parent` too.
    """

    task: str
    parent: str
    children: tuple[str, ...]
    is_any: bool
    whole: bool = False


@dataclass(slots=True)
class PlanParent:
    """`task` is a part of `parent`."""

    task: str
    parent: str
    where: str


@dataclass(slots=True)
class PlanHistory:
    """A change of status that another tracker recorded; a *derived* one it tells otherwise."""

    task: str
    old_status: TaskStatus | None
    new_status: TaskStatus
    agent: str
    created_at: datetime
    note: str | None = None
    forced: bool = False
    derived: bool = False


@dataclass(slots=True)
class PlanSpec:
    """A specification, in a file of its own; `item` is the key of its epic or feature."""

    file_path: str
    text: SpecText
    where: str
    item: str | None = None


@dataclass(slots=True)
class PlanFile:
    """A file that belongs to a task."""

    task: str
    path: str
    content: str
    where: str


@dataclass(slots=True)
class PlanPart:
    """`task` implements a part of the specification in the file `spec`."""

    task: str
    spec: str
    scope: str


@dataclass(slots=True)
class Plan:
    """All that one file, or one folder, says.

    `edges` and `parents` are in the order of the file and, until `normalize` has seen them, as
    they stand there: dangling, twice, in cycles. `lists` are the names in metadata under which
    the importer collects rows of other tables (notes, comments, ...).

    `relations` are what may become edges or parents by the caller's choice. `waits` are derived
    edges. `children_wait`: in this tracker nobody begins a task whose parent is blocked or put
    off; `holding` names the parents on hold that hold back their children, with the reason.
    `any_case`: the tracker's ids are the same in upper and lower case.
    `whole_parents`: a task is offered whole, without its subtasks, unless `subtasks_first`.
    `unknown_holds`: a task that waits for one that the file does not have is on hold.
    `cycles_hold`: a task whose edge was refused because it closes a cycle is on hold.
    `gates` are waits for the children of an issue.
    `about` is what the file says of itself. `renamed` are the new keys of different tasks under
    one id, with that id and the place; `copies` counts them by id.
    """

    kind: str
    path: str
    lists: tuple[str, ...] = (RELATIONS,)
    findings: Findings = field(default_factory=Findings)
    epics: list[PlanEpic] = field(default_factory=list[PlanEpic])
    features: list[PlanFeature] = field(default_factory=list[PlanFeature])
    tasks: list[PlanTask] = field(default_factory=list[PlanTask])
    edges: list[PlanEdge] = field(default_factory=list[PlanEdge])
    parents: list[PlanParent] = field(default_factory=list[PlanParent])
    relations: list[PlanRelation] = field(default_factory=list[PlanRelation])
    gates: list[PlanGate] = field(default_factory=list[PlanGate])
    waits: list[PlanEdge] = field(default_factory=list[PlanEdge])
    history: list[PlanHistory] = field(default_factory=list[PlanHistory])
    specs: list[PlanSpec] = field(default_factory=list[PlanSpec])
    files: list[PlanFile] = field(default_factory=list[PlanFile])
    parts: list[PlanPart] = field(default_factory=list[PlanPart])
    remarks: list[str] = field(default_factory=list[str])
    about: Metadata = field(default_factory=Metadata)
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    copies: Counter[str] = field(default_factory=Counter[str])
    holding: dict[str, str] = field(default_factory=dict[str, str])
    children_wait: bool = False
    any_case: bool = False
    whole_parents: bool = False
    subtasks_first: bool = False
    unknown_holds: bool = True
    cycles_hold: bool = True

    def keep(self, fields: Metadata) -> Metadata:
        """Return *fields* for metadata; one with a name that the importer needs gets a ``_``."""
        taken = {SOURCE, ABOUT, *self.lists}
        return {f"{name}_" if name in taken else name: value for name, value in fields.items()}

    def reset(self) -> None:
        """Make every task pending, as if no one had begun: without history, claims and moments.

        Deleted and cancelled tasks stay what they are, and what is no work stays on hold.
        """
        for task in self.tasks:
            task.claim = task.assigned_agent = task.started_at = None
            if task.status in (TaskStatus.CANCELLED, TaskStatus.ARCHIVED):
                continue
            task.scheduled_at = task.blocked_at = task.completed_at = None
            task.status = TaskStatus.BLOCKED if task.no_work else TaskStatus.PENDING
            task.blocked_reason = task.no_work
        if self.history:
            self.remarks.append(f"reset: {len(self.history)} rows of history were left out")
        self.history.clear()
        self.holding.clear()
        self.subtasks_first = self.whole_parents
        self.unknown_holds = self.cycles_hold = False

    def rename(self, keys: Mapping[str, str]) -> None:
        """Give tasks other *keys*, by those of now, wherever a row names them."""
        for task in self.tasks:
            task.key = keys.get(task.key, task.key)
        for edge in self.edges:
            edge.task = keys.get(edge.task, edge.task)
            edge.depends_on = keys.get(edge.depends_on, edge.depends_on)
        for link in self.parents:
            link.task = keys.get(link.task, link.task)
            link.parent = keys.get(link.parent, link.parent)
        for row in self.history:
            row.task = keys.get(row.task, row.task)

    def tasks_by_key(self) -> dict[str, PlanTask]:
        """Return the tasks by their keys."""
        return {task.key: task for task in self.tasks}
