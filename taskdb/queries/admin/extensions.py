"""Extensions that a database may have: `sql/queries/admin/extensions.sql`."""

from __future__ import annotations

from taskdb.queries.admin import query

__all__ = ["schema_of"]


@query
def schema_of(extension: str) -> str | None:
    """Return the schema of an extension's objects, or None if it was not created."""
    ...
