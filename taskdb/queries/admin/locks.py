"""Locks that a migration takes."""

from __future__ import annotations

from taskdb.models.admin.locks import LockableRelation, RelationLock
from taskdb.queries.admin import query


@query
def list_relations(*, schemas: list[str]) -> list[LockableRelation]:
    """Return the tables, views and sequences of the schemas."""
    ...


@query
def list_locks(*, pid: int) -> list[RelationLock]:
    """Return the locks on relations that a server process holds or waits for."""
    ...
