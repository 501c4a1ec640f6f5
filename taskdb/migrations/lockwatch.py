"""Watch of the locks that a server process takes while it migrates.

A migration that is one transaction holds all its locks at its end, where they are read. One
without a transaction gives each back at once. So a session of the check's holds every table
first, in a mode that lets only readers by: the migration must queue for what it wants, is
seen waiting, and is let through. What it locks after that is polled.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from psycopg import Connection

from taskdb.database import workspaces
from taskdb.migrations.locks import Taken
from taskdb.migrations.runner import connect
from taskdb.models.admin.locks import LockableRelation
from taskdb.queries.admin import locks as queries

__all__ = ["watch"]

POLL_SECONDS = 0.001


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
        workspaces.lock_table(conn, relation.schema, relation.name)
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
