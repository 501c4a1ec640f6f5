"""Which schemas are workspaces. Services want `taskdb.database.workspaces`."""

from __future__ import annotations

from taskdb.queries.admin import query


@query
def list_workspaces() -> list[str]:
    """Return the names of all workspaces, in order."""
    ...


@query
def schema_exists(*, name: str) -> bool:
    """Whether the schema is there."""
    ...


@query
def role_exists(*, name: str) -> bool:
    """Whether the role is there."""
    ...


@query
def may_grant_on(*, name: str) -> bool:
    """Whether the current role may hand out rights on the schema."""
    ...


@query
def has_usage(*, role: str, name: str) -> bool:
    """Whether the role may use the schema."""
    ...
