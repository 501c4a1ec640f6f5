"""Technical requirements documents (TRD) of sessions: `sql/queries/documents.sql`."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.documents import TrdDocument, TrdDocumentInfo
from taskdb.queries import query
from taskdb.queries.fields import Document, Limit, Percentage, Position, Text


@query
def add(
    *,
    session_id: UUID,
    trd_content: Text,
    api_specification: Text | None = None,
    database_schema: Text | None = None,
    architecture_diagram: Text | None = None,
    tech_stack_document: Text | None = None,
    quality_score: Percentage | None = None,
    validation_report: Document | None = None,
) -> TrdDocumentInfo:
    """Keep the next version of a session's document; versions count from 1.

    Writers of one session take turns, each with a version of its own. Above READ COMMITTED the
    later one raises psycopg's `SerializationFailure`: run it again (`Database.retrying`). Raises
    `IntegrityError` if there is no such session.
    """
    ...


@query
def set_validation(
    id: UUID, *, quality_score: Percentage | None, validation_report: dict[str, Any] | None = None
) -> TrdDocumentInfo:
    """Record the result of a validation, replacing an earlier one; raise `NotFoundError`."""
    ...


@query
def get(id: UUID) -> TrdDocument:
    """Return a document with all its texts, or raise `NotFoundError`."""
    ...


@query
def get_version(*, session_id: UUID, version: Position) -> TrdDocument:
    """Return a version of a session's document with all its texts, or raise `NotFoundError`."""
    ...


@query
def newest(session_id: UUID) -> TrdDocument | None:
    """Return the newest version of a session's document, None before the first one."""
    ...


@query
def list_versions(session_id: UUID) -> list[TrdDocumentInfo]:
    """Return all versions of a session's document, newest first, without their texts."""
    ...


@query
def list_by_quality(
    *,
    at_least: Percentage | None = None,
    after_quality: Decimal | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[TrdDocumentInfo]:
    """Return the documents of all sessions that were validated, the best first.

    The next page begins after the last row of this one: give its `quality_score` and `id`.
    """
    ...
