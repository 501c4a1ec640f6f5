"""Schemas that are workspaces. Services want `taskdb.database.workspaces`."""

from __future__ import annotations

from taskdb.queries.admin import query


@query
def list_workspaces() -> list[str]:
    """Return the names of all workspaces, in order."""
    ...


@query
def schema_exists(*, name: str) -> bool:
    """Return whether the schema exists."""
    ...


@query
def role_exists(*, name: str) -> bool:
    """Return whether the role exists."""
    ...


@query
def may_grant_on(*, name: str) -> bool:
    """Return whether the current role may grant rights on the schema."""
    ...


@query
def has_usage(*, role: str, name: str) -> bool:
    """Return whether the role may use the schema."""
    ...
