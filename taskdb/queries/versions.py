"""Migrations of a database: `sql/queries/versions.sql`."""

from __future__ import annotations

from taskdb.models.versions import RecordedMigration, SearchedSchema
from taskdb.queries import query

__all__ = ["list_recorded", "logged_schemas", "searched_schemas"]


@query
def logged_schemas() -> list[str]:
    """Return those of `shared` and the current schema that have a log."""
    ...


@query
def searched_schemas() -> list[SearchedSchema]:
    """Return the schemas that the search path names, in its order."""
    ...


@query
def list_recorded() -> list[RecordedMigration]:
    """Return what the current schema and `shared` have."""
    ...
