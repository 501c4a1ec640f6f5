"""Migrations of a database: `sql/queries/versions.sql`."""

from __future__ import annotations

from taskdb.models.versions import RecordedMigration, SearchedSchema
from taskdb.queries import query

__all__ = ["list_recorded", "logged_schemas", "searched_schemas"]


@query
def logged_schemas() -> list[str]:
    """Return `shared` and the current schema, if they have a log."""
    ...


@query
def searched_schemas() -> list[SearchedSchema]:
    """Return the schemas of the search path, in its order."""
    ...


@query
def list_recorded() -> list[RecordedMigration]:
    """Return the migrations of the current schema and of `shared`."""
    ...
