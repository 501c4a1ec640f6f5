"""Roles of a workspace and their privileges."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RoleGrant:
    """A role that may use a workspace, and as what: owner, app, worker, reader, or other."""

    role: str
    kind: str
    can_login: bool


@dataclass(slots=True)
class SchemaObject:
    """An object of a schema, named as SQL names it."""

    kind: str
    name: str


@dataclass(slots=True)
class Privilege:
    """One privilege of one role on one object, or on a column of it."""

    schema: str
    kind: str
    object: str
    column: str | None
    role: str
    privilege: str
    is_grantable: bool
