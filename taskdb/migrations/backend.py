"""yoyo's PostgreSQL backend, made safe against kills, edits and company.

What differs from the stock backend: it works on a connection that taskdb made, from any
conninfo; a file's statements, its log row, its mark and its checksum are one transaction; an
advisory lock keeps runners apart and ends with the connection, where yoyo's is a row that
outlives a kill. Its log tables stay readable to yoyo's own command line.
"""

# yoyo carries no types; this is the one module that touches it.
# mypy: disable-error-code="import-untyped,misc,no-untyped-call"
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedBaseClass=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

import getpass
import os
import socket
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

from psycopg import Connection
from psycopg import errors as server

from taskdb.database import workspaces
from taskdb.database.versions import closed
from taskdb.errors import DatabaseError, MigrationError, ScriptError, needing
from taskdb.migrations.files import Migration, Script
from taskdb.migrations.scripts import run, run_file
from taskdb.models.admin.migrations import AppliedMigration, MigrationLogEntry
from taskdb.places import SQL
from taskdb.queries import versions
from taskdb.queries.admin import migrations as queries

with needing("cli"):
    from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
    from yoyo.migrations import Migration as YoyoMigration
    from yoyo.migrations import default_migration_table

# "taskdb" in ASCII. An advisory lock belongs to one database: one runner a database.
LOCK_KEY = 0x7461736B6462

Show: TypeAlias = Callable[[str], None]
BeforeCommit: TypeAlias = Callable[[], None]


class Backend(PostgresqlPsycopgBackend):
    """One track in one schema, over a connection in autocommit mode.

    `before_commit`, if set, is called at the end of each migration's transaction.
    """

    def __init__(
        self,
        connection: Connection[Any],
        track: str,
        schema: str,
    ) -> None:
        self.given = connection
        self.track = track
        self.schema_name = schema
        self.before_commit: BeforeCommit | None = None
        self.log_is_there = False
        super().__init__(schema, default_migration_table)

    def connect(self, dburi: str) -> Connection[Any]:
        """The connection that was given."""
        return self.given

    def init_connection(self, connection: Connection[Any]) -> None:
        """Set the session up as each file is to find it."""
        run_file(connection, SQL / "session" / "migration.sql")
        workspaces.set_search_path(connection, self.schema_name)
        refusal = closed(connection.info.user, versions.searched_schemas(connection))
        if refusal:
            raise refusal

    def list_tables(self, **kwargs: object) -> list[str]:
        """The schema's tables: yoyo asks whether its own are there."""
        return queries.tables_of(self.given, schema=self.schema_name)

    @contextmanager
    def lock(self, timeout: float = 0) -> Generator[None]:
        """Nothing: `runner_lock` is held."""
        yield

    def ensure_internal_schema_updated(self) -> None:
        """Make the log tables if they are not there."""
        if self.log_is_there:
            return
        self.init_connection(self.given)
        super().ensure_internal_schema_updated()
        if not self.has_log():
            with self.given.transaction():
                run_file(self.given, SQL / "migration_log.sql")
        self.log_is_there = True

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """A row of yoyo's log. Its own version fails for a user without a name."""
        return {
            "id": str(uuid.uuid1()),
            "migration_id": migration and migration.id,
            "migration_hash": migration and migration.hash,
            "username": _username(),
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }

    def has_log(self) -> bool:
        """Return whether this schema was ever migrated or stamped."""
        return {default_migration_table, "_taskdb_migration"} <= set(self.list_tables())

    def applied(self) -> list[AppliedMigration]:
        """Return this schema's applied migrations, in order."""
        return self._read(queries.list_applied)

    def disagreements(self) -> list[str]:
        """Migrations that another tool marked or unmarked."""
        return self._read(queries.list_disagreements)

    def history(self) -> list[MigrationLogEntry]:
        """All that was done to this schema, oldest first."""
        return self._read(queries.list_log)

    def _read(self, query: Any) -> list[Any]:
        if not self.has_log():
            return []
        workspaces.set_search_path(self.given, self.schema_name)
        return list(query(self.given))

    def apply(self, migration: Migration, package: str, shared_revision: str | None) -> None:
        """Run a migration and note it."""
        with self._migrating(migration, "up", migration.up):
            self.note(migration, "apply", package, shared_revision)

    def roll_back(self, migration: Migration) -> None:
        """Run a migration's rollback and note that."""
        with self._migrating(migration, "down", migration.down):
            self.unnote(migration.id, "rollback")

    @contextmanager
    def _migrating(self, migration: Migration, direction: str, script: Script) -> Generator[None]:
        """Run the script, then what is to be noted, in one transaction where the head allows it."""
        self.init_connection(self.given)
        if not migration.head.transactional:
            if direction == "up":
                # The remains of a killed attempt, such as an invalid index, go first.
                run_file(self.given, SQL / "session" / "quiet.sql")
                self._run(migration.down)
                self.init_connection(self.given)
            self._run(script)
        with self.given.transaction():
            if migration.head.transactional:
                self._run(script)
            # The log is written with our role and path, whatever the file left set.
            self.init_connection(self.given)
            yield
            if self.before_commit:
                self.before_commit()

    def note(
        self, migration: Migration, operation: str, package: str, shared_revision: str | None
    ) -> None:
        """Note a migration as applied, in the caller's transaction."""
        marked = YoyoMigration(migration.id, str(migration.up.path), "")
        self.mark_one(marked, log=False)
        self.log_migration(marked, operation)
        queries.record(
            self.given,
            id=migration.id,
            track=self.track,
            checksum=migration.checksum,
            breaking=migration.head.breaking,
            package=package,
            shared_revision=shared_revision,
        )

    def unnote(self, migration_id: str, operation: str) -> None:
        """Note a migration as not applied, in the caller's transaction."""
        unmarked = YoyoMigration(migration_id, "", "")
        self.unmark_one(unmarked, log=False)
        self.log_migration(unmarked, operation)
        queries.forget(self.given, id=migration_id)

    def _run(self, script: Script) -> None:
        for statement in script.statements:
            try:
                run(self.given, statement, script.path)
            except ScriptError as exc:
                raise _failed(exc) from exc.__cause__


def _failed(exc: ScriptError) -> MigrationError:
    hint = exc.hint
    if isinstance(exc.__cause__, server.LockNotAvailable):
        hint = "Another session holds the lock; nothing of this file was kept, so run it again"
    return MigrationError(exc.message, where=exc.where, hint=hint, sqlstate=exc.sqlstate)


def _username() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # No LOGNAME, and no entry in passwd either.
        return f"uid {os.getuid()}"


@contextmanager
def runner_lock(conn: Connection[Any], wait: float, show: Show) -> Generator[None]:
    """Hold the lock that lets one runner at a time into a database.

    Waits up to *wait* seconds for another runner, then raises `DatabaseError`.
    """
    deadline = time.monotonic() + wait
    pause = 0.0
    while not queries.try_lock(conn, key=LOCK_KEY):
        holder = queries.lock_holder(conn, key=LOCK_KEY)
        if not pause:
            show(f"another migration runs (server process {holder}): waiting, {wait:g} s at most")
        if time.monotonic() > deadline:
            raise DatabaseError(
                f"another migration (server process {holder}) still runs after {wait:g} s",
                hint=f"Wait for it, or end it: select pg_terminate_backend({holder})",
            )
        pause = min(pause * 1.5 or 0.01, 0.25)
        time.sleep(pause)
    try:
        yield
    finally:
        if not conn.closed:
            queries.unlock(conn, key=LOCK_KEY)
