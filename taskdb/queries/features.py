"""Features: `sql/queries/features.sql`."""

from decimal import Decimal
from uuid import UUID

from taskdb.models.features import Feature, FeatureProgress
from taskdb.models.types import PlanStatus
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Document, Key, Limit, Name, Order, Text, Title
from taskdb.query import UNSET, Unset


@query
def create(
    *,
    epic_id: UUID,
    key: Key,
    title: Title,
    description: AnyText | None = None,
    status: PlanStatus = PlanStatus.DRAFT,
    execution_order: Order | None = None,
    file_path: Text | None = None,
    metadata: Document | None = None,
    created_by: Name | None = None,
) -> Feature:
    """Make a feature of an epic. Its key is the epic's, `-F` and digits: `E04-F01`.

    Raises `IntegrityError` if the key is taken or there is no such epic.
    """
    ...


@query
def get(id: UUID) -> Feature:
    """Return a feature by its id, or raise `NotFoundError`."""
    ...


@query
def get_by_key(key: Key) -> Feature:
    """Return a feature by its key, or raise `NotFoundError`."""
    ...


@query
def list_features(
    *,
    epic_id: UUID | None = None,
    status: PlanStatus | None = None,
    after_key: Key | None = None,
    limit: Limit = 100,
) -> list[Feature]:
    """Return features in the order of their keys; a filter that is None is left out.

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
    execution_order: Order | None | Unset = UNSET,
    file_path: Text | None | Unset = UNSET,
    metadata: Document | None | Unset = UNSET,
) -> Feature:
    """Change what is given, and nothing else; None empties a field.

    Raises `NotFoundError` if there is no such feature.
    """
    ...


@query
def delete(key: Key) -> UUID:
    """Delete a feature with its tasks; return its id.

    Raises `NotFoundError` if there is no such feature.
    """
    ...


@query
def progress(key: Key) -> FeatureProgress:
    """Return the progress of a feature, computed now; the percentage is 0 to 100.

    Raises `NotFoundError` if there is no such feature.
    """
    ...


@query
def list_progress(*, epic_id: UUID | None = None) -> list[FeatureProgress]:
    """Return the progress of every feature, or of those of one epic."""
    ...


@query
def update_progress(key: Key) -> Decimal:
    """Refresh the cached `progress_pct` of a feature, and return it: 0 to 100.

    Raises `NotFoundError` if there is no such feature.
    """
    ...
