"""Epics: `sql/queries/epics.sql`."""

from uuid import UUID

from taskdb.models.epics import Epic, EpicProgress
from taskdb.models.types import Level, PlanStatus
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Document, Key, Limit, Name, Text, Title
from taskdb.query import UNSET, Unset


@query
def create(
    *,
    key: Key,
    title: Title,
    description: AnyText | None = None,
    status: PlanStatus = PlanStatus.DRAFT,
    priority: Level = Level.MEDIUM,
    business_value: Level | None = None,
    file_path: Text | None = None,
    metadata: Document | None = None,
    created_by: Name | None = None,
    project_id: UUID | None = None,
) -> Epic:
    """Make an epic. Its key is `E` and two to six digits: `E04`.

    Raises `IntegrityError` if the key is taken, or there is no such project.
    """
    ...


@query
def get(id: UUID) -> Epic:
    """Return an epic by its id, or raise `NotFoundError`."""
    ...


@query
def get_by_key(key: Key) -> Epic:
    """Return an epic by its key, or raise `NotFoundError`."""
    ...


@query
def list_epics(
    *,
    status: PlanStatus | None = None,
    priority: Level | None = None,
    project_id: UUID | None = None,
    after_key: Key | None = None,
    limit: Limit = 100,
) -> list[Epic]:
    """Return epics in the order of their keys; a filter that is None is left out.

    The next page begins after the last key of this one: give it as *after_key*.
    """
    ...


@query
def update(
    key: Key,
    *,
    title: Title | Unset = UNSET,
    description: AnyText | None | Unset = UNSET,
    status: PlanStatus | Unset = UNSET,
    priority: Level | Unset = UNSET,
    business_value: Level | None | Unset = UNSET,
    file_path: Text | None | Unset = UNSET,
    metadata: Document | None | Unset = UNSET,
    project_id: UUID | None | Unset = UNSET,
) -> Epic:
    """Change what is given, and nothing else; None empties a field.

    Raises `NotFoundError` if there is no such epic.
    """
    ...


@query
def delete(key: Key) -> UUID:
    """Delete an epic with its features and their tasks; return its id.

    Raises `NotFoundError` if there is no such epic.
    """
    ...


@query
def progress(key: Key) -> EpicProgress:
    """Return the progress of an epic, computed now; both percentages are 0 to 100.

    Raises `NotFoundError` if there is no such epic.
    """
    ...


@query
def list_progress() -> list[EpicProgress]:
    """Return the progress of every epic, in the order of their keys."""
    ...
