"""Schemas that are workspaces. Services want `taskdb.database.workspaces`."""

from __future__ import annotations

from taskdb.models.admin.workspaces import Privilege, RoleGrant, SchemaObject
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


@query
def search_path() -> str:
    """Return the session's search path."""
    ...


@query
def restore_path(*, path: str) -> str:
    """Set the session's search path to what `search_path` returned."""
    ...


@query
def list_roles(*, workspace: str) -> list[RoleGrant]:
    """Return the roles with privileges in a workspace, by kind, owners first."""
    ...


@query
def objects_of(*, schema: str) -> list[SchemaObject]:
    """Return the tables, views, sequences and routines of a schema."""
    ...


@query
def owner_of(*, name: str) -> str:
    """Return the role that owns a schema. Raises NotFoundError if there is no such schema."""
    ...


@query
def list_acl(*, workspace: str) -> list[Privilege]:
    """Return every privilege that was granted in a workspace and in ``shared``."""
    ...
