"""Table locks that a migration takes, compared with those that its head declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from taskdb.database import workspaces
from taskdb.migrations.files import Migration
from taskdb.migrations.header import LOCK_MODES, Lock
from taskdb.models.admin.locks import LockableRelation, RelationLock

__all__ = ["Taken", "undeclared", "unknown"]

# Locks that need no declaration: reading a table, and drawing a number from a sequence.
_HARMLESS = LOCK_MODES.index("access share")
_HARMLESS_ON_SEQUENCES = LOCK_MODES.index("row exclusive")


class Taken:
    """The strongest lock seen on each relation that was there before."""

    def __init__(self, relations: Sequence[LockableRelation]) -> None:
        self.relations = {relation.oid: relation for relation in relations}
        self.levels: dict[int, int] = {}

    def see(self, locks: Iterable[RelationLock]) -> None:
        """Take note of what a server process holds or waits for."""
        for lock in locks:
            relation = self.relations.get(lock.relation)
            level = _level(lock.mode)
            if relation is None or level <= _harmless(relation):
                continue
            self.levels[lock.relation] = max(level, self.levels.get(lock.relation, 0))


def _level(mode: str) -> int:
    """The strength of ``ShareUpdateExclusiveLock``."""
    words = re.findall("[A-Z][a-z]+", mode.removesuffix("Lock"))
    return LOCK_MODES.index(" ".join(words).lower())


def _harmless(relation: LockableRelation) -> int:
    return _HARMLESS_ON_SEQUENCES if relation.is_sequence else _HARMLESS


def undeclared(migration: Migration, taken: Taken) -> Iterator[str]:
    """Yield a sentence for each lock that is stronger than the migration's head declares."""
    declared = _declared(migration, taken)
    for oid, level in sorted(taken.levels.items()):
        allowed = declared.get(oid)
        if allowed is None or level > allowed:
            relation = taken.relations[oid]
            says = "does not say so" if allowed is None else f"says {LOCK_MODES[allowed]}"
            yield f"takes {LOCK_MODES[level]} on {relation.schema}.{relation.name}; its head {says}"


def unknown(migration: Migration, taken: Taken) -> Iterator[str]:
    """Relations that the head declares and that were not there before, a sentence each."""
    for lock in migration.head.locks:
        if _find(lock, migration, taken) is None:
            yield f"declares a lock on {lock.relation}, which is not there before it"


def _declared(migration: Migration, taken: Taken) -> dict[int, int]:
    declared: dict[int, int] = {}
    for lock in migration.head.locks:
        oid = _find(lock, migration, taken)
        if oid is not None:
            declared[oid] = max(LOCK_MODES.index(lock.mode), declared.get(oid, 0))
    return declared


def _find(lock: Lock, migration: Migration, taken: Taken) -> int | None:
    """The relation that a head means: of ``shared`` if it says so, else of its own schema first."""
    schema, _, name = lock.relation.rpartition(".")
    own_first = sorted(
        taken.relations.values(),
        key=lambda relation: (
            (relation.schema == workspaces.SHARED) != (migration.track == "shared")
        ),
    )
    for relation in own_first:
        if relation.name == name and schema in ("", relation.schema):
            return relation.oid
    return None
