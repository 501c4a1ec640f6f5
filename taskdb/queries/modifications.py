"""Modifications of projects: `sql/queries/modifications.sql`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from taskdb.models.modifications import Modification
from taskdb.models.types import ModificationStatus
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Document, Limit, Name, Text


@query
def request(
    *,
    project_id: UUID,
    request: Text,
    requested_by: Name,
    affected_files: list[AnyText] = [],  # noqa: B006
    impact_analysis: Document | None = None,
) -> Modification:
    """Request a change of a project as it is now.

    Raises `IntegrityError` if there is no such project.
    """
    ...


@query
def get(id: UUID) -> Modification:
    """Return a modification, or raise `NotFoundError`."""
    ...


@query
def list_modifications(
    *,
    project_id: UUID | None = None,
    status: ModificationStatus | None = None,
    requested_by: Name | None = None,
    after_requested_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[Modification]:
    """Return modifications, the newest first; a filter that is None is left out.

    The next page begins after the last of this one: give its moment and id.
    """
    ...


@query
def find_by_impact(impact: dict[str, Any], *, limit: Limit = 50) -> list[Modification]:
    """Return the modifications whose impact analysis contains *impact*, by id."""
    ...


@query
def find_by_test_results(results: dict[str, Any], *, limit: Limit = 50) -> list[Modification]:
    """Return the modifications whose test results contain *results*, by id."""
    ...


@query
def approve(id: UUID) -> Modification:
    """Approve a modification of the project as it is now: it can be applied to no later version.

    Raises `InvalidTransitionError` if it is not pending or failed, `NotFoundError`.
    """
    ...


@query
def reject(id: UUID) -> Modification:
    """Reject a modification; raise `InvalidTransitionError` if it has ended, `NotFoundError`."""
    ...


@query
def fail(id: UUID, *, test_results: Document | None = None) -> Modification:
    """Record that an approved modification could not be applied; approve it to try again.

    Raises `InvalidTransitionError` if it is not approved, `NotFoundError`.
    """
    ...


@query
def apply(
    id: UUID,
    *,
    modified_files: dict[str, str | None],
    test_results: Document | None = None,
) -> Modification:
    """Apply an approved modification: its status and the project's files change together.

    *modified_files* is new contents by path; None removes a file. Raises `VersionConflictError`
    if the project changed since the approval, `InvalidTransitionError` if it is not approved,
    `NotFoundError`; then nothing is changed.
    """
    ...
