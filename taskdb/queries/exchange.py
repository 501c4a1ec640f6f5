"""Reads and writes of importers beside the functions of the other areas."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from taskdb.models.exchange import (
    Edge,
    ImportedBefore,
    KnownFile,
    KnownRow,
    KnownSpec,
    KnownTask,
    LiveClaim,
    ReportedUntil,
)
from taskdb.models.types import DependencyType, Level, PlanStatus, TaskStatus
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Document, Key, Name, Order, Text, Title

__all__ = [
    "copy_edges",
    "copy_epics",
    "copy_features",
    "copy_imported",
    "edges_of",
    "epics_by_key",
    "features_by_key",
    "files_of",
    "import_history",
    "import_transition",
    "imported_before",
    "lapsed_tasks",
    "live_claims",
    "parts_of",
    "reported_until",
    "specs_by_file",
    "tasks_by_key",
    "update_imported",
]


@query
def epics_by_key(*, keys: list[Text]) -> list[KnownRow]:
    """Return the epics with these keys, in no order."""
    ...


@query
def features_by_key(*, keys: list[Text]) -> list[KnownRow]:
    """Return the features with these keys, in no order."""
    ...


@query
def tasks_by_key(*, keys: list[Text]) -> list[KnownTask]:
    """Return the tasks with these keys, in no order."""
    ...


@query
def specs_by_file(*, paths: list[Text]) -> list[KnownSpec]:
    """Return the specifications that were imported from these files, in no order."""
    ...


@query
def edges_of(*, task_ids: list[UUID]) -> list[Edge]:
    """Return the dependencies of these tasks, in no order."""
    ...


@query
def files_of(*, task_ids: list[UUID]) -> list[KnownFile]:
    """Return the files of these tasks, in no order."""
    ...


@query
def parts_of(*, task_ids: list[UUID]) -> list[UUID]:
    """Return the implementation tasks among these tasks, in no order."""
    ...


@query
def copy_epics(
    *,
    key: Key,
    title: Title,
    description: AnyText | None,
    status: PlanStatus,
    priority: Level,
    business_value: Level | None,
    file_path: Text | None,
    metadata: Document | None,
    created_by: Name | None,
    created_at: datetime,
) -> int:
    """Make epics by COPY, with their own moments of creation."""
    ...


@query
def copy_features(
    *,
    epic_id: UUID,
    key: Key,
    title: Title,
    description: AnyText | None,
    status: PlanStatus,
    execution_order: Order | None,
    file_path: Text | None,
    metadata: Document | None,
    created_by: Name | None,
    created_at: datetime,
) -> int:
    """Make features by COPY, with their own moments of creation."""
    ...


@query
def copy_edges(
    *,
    task_id: UUID,
    depends_on_id: UUID,
    dependency_type: DependencyType,
    created_by: AnyText | None,
    created_at: datetime,
) -> int:
    """Make dependencies by COPY, with their own moments of creation.

    Raises `CircularDependencyError` with the path of a cycle that they would close.
    """
    ...


@query
def import_history(
    *,
    source: Name,
    task_ids: list[UUID],
    old_statuses: list[TaskStatus | None],
    new_statuses: list[TaskStatus],
    agents: list[AnyText],
    notes: list[AnyText | None],
    are_forced: list[bool],
    moments: list[datetime],
) -> int:
    """Add another tracker's history, a row for each place of the lists; return how many."""
    ...


@query
def imported_before(*, kind: Name, path: Text) -> list[ImportedBefore]:
    """Return a file's record of each of its tasks at its last import, in no order."""
    ...


@query
def copy_imported(*, task_id: UUID, source_kind: Name, source_path: Text, content: Document) -> int:
    """Keep a file's record of new tasks by COPY."""
    ...


@query
def update_imported(*, task_id: UUID, content: Document) -> int:
    """Keep a file's current record of a task."""
    ...


@query
def import_transition(
    *,
    key: Key,
    status: TaskStatus,
    source: Name,
    agent: Name,
    at: datetime | None = None,
    note: AnyText | None = None,
    blocked_reason: Text | None = None,
) -> int:
    """Change a task's status as the tracker *source* did, and return how many tasks that were.

    Its row of history has the source and the time *at*, or the time of now without one and where
    that is to come. A claim ends no earlier than it began.
    """
    ...


@query
def reported_until(*, source: Name, task_ids: list[UUID]) -> list[ReportedUntil]:
    """Return the time of the latest transition that *source* reported of each of these tasks."""
    ...


@query
def live_claims(*, task_ids: list[UUID]) -> list[LiveClaim]:
    """Return the claims of these tasks whose leases have not expired."""
    ...


@query
def lapsed_tasks(*, task_ids: list[UUID]) -> list[UUID]:
    """Return those of these tasks that nothing happened to since a claim of theirs lapsed."""
    ...
