"""Locks on tables, as the server tells them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class LockableRelation:
    """A table, view or sequence."""

    oid: int
    schema: str
    name: str
    is_table: bool
    is_sequence: bool


@dataclass(slots=True)
class RelationLock:
    """A lock that a server process holds on a relation, or waits for; the mode as pg_locks'."""

    relation: int
    mode: str
    is_granted: bool
