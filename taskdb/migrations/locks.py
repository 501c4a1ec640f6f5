"""Table locks that a migration takes, compared with those that its head declares.

A migration that is one transaction holds all its locks at its end, where they are read. One
without a transaction gives each back at once. So a session of the check's holds every table
first, in a mode that lets only readers by: the migration must queue for what it wants, is
seen waiting, and is let through. What it locks after that is polled.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from psycopg import Connection

from taskdb.database import workspaces
from taskdb.migrations.files import Migration
from taskdb.migrations.header import LOCK_MODES, Lock
from taskdb.migrations.runner import connect
from taskdb.models.admin.locks import LockableRelation, RelationLock
from taskdb.queries.admin import locks as queries

__all__ = ["Taken", "undeclared", "unknown", "watch"]

POLL_SECONDS = 0.001

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


@contextmanager
def watch(conninfo: str, pid: int, taken: Taken) -> Generator[None]:
    """See what server process *pid* locks while the body runs, transaction or none."""
    with ExitStack() as stack:
        conn = stack.enter_context(connect(conninfo, _ignore))
        holders = {
            relation.oid: stack.enter_context(_holder(conninfo, relation))
            for relation in taken.relations.values()
            if relation.is_table
        }
        watcher = _Watcher(conn, pid, taken, holders)
        watcher.start()
        try:
            yield
        finally:
            watcher.done.set()
            watcher.join()
        if watcher.failure:
            raise watcher.failure


def _ignore(line: str) -> None:
    """Notices are for who migrates."""


@contextmanager
def _holder(conninfo: str, relation: LockableRelation) -> Generator[Connection[Any]]:
    with connect(conninfo, _ignore) as conn:
        conn.autocommit = False
        workspaces.hold_table(conn, relation.schema, relation.name)
        yield conn


class _Watcher(threading.Thread):
    """Looks at a server process's locks again and again; lets it through where it waits."""

    def __init__(
        self, conn: Connection[Any], pid: int, taken: Taken, holders: dict[int, Connection[Any]]
    ) -> None:
        super().__init__(daemon=True)
        self.conn = conn
        self.pid = pid
        self.taken = taken
        self.holders = holders
        self.done = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.done.wait(POLL_SECONDS):
                self._look()
        except Exception as exc:  # noqa: BLE001 (watch raises it again)
            self.failure = exc
        finally:
            for holder in self.holders.values():
                holder.rollback()

    def _look(self) -> None:
        locks = queries.list_locks(self.conn, pid=self.pid)
        self.taken.see(locks)
        for lock in locks:
            if not lock.is_granted and lock.relation in self.holders:
                self.holders.pop(lock.relation).rollback()
