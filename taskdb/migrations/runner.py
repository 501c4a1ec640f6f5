"""One run over both tracks: connected, alone, and with every file read and compared first.

`taskdb.migrations` has the functions to call; the migration check drives a run step by step.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from taskdb.database import workspaces
from taskdb.database.versions import TRACKS, Track
from taskdb.errors import (
    DatabaseError,
    DatabaseNotFoundError,
    MigrationError,
    SchemaVersionMismatchError,
    ValidationError,
)
from taskdb.migrations.backend import Backend, Show, runner_lock
from taskdb.migrations.files import Migration, read_track
from taskdb.models.admin.migrations import AppliedMigration

NOTHING = "0000"
"""The revision before the first."""


@dataclass(frozen=True, slots=True)
class Step:
    """One migration that was just run, or just noted as applied or not."""

    track: Track
    id: str
    direction: Literal["up", "down", "mark", "unmark"]
    seconds: float


class Run:
    """A connection that holds the runner's lock, and the files of both tracks.

    Make one with `open_run`.
    """

    def __init__(
        self,
        conn: Connection[Any],
        *,
        workspace: str,
        files: dict[Track, list[Migration]],
        package: str,
        show: Show,
    ) -> None:
        self.conn = conn
        self.files = files
        self.package = package
        self.show = show
        self.schemas: dict[Track, str] = {"shared": workspaces.SHARED, "workspace": workspace}
        self.backends = {
            track: Backend(conn, track, schema) for track, schema in self.schemas.items()
        }

    def prepare(self) -> None:
        """Make the schemas and their logs where they are not there."""
        for track in TRACKS:
            if workspaces.create_schema(self.conn, self.schemas[track]):
                self.show(f"schema {self.schemas[track]} created")
            self.backends[track].ensure_internal_schema_updated()

    def pending(self, track: Track) -> list[Migration]:
        """The track's migrations that its schema lacks, in order.

        Raises `MigrationError` or `SchemaVersionMismatchError` where files and log do not
        agree on the others, so that nothing is run on top of a schema nobody knows.
        """
        schema = self.schemas[track]
        applied = self.backends[track].applied()
        refuse_disagreements(schema, self.backends[track].disagreements())
        refuse_unknown(schema, applied, self.files[track], self.package)
        refuse_edited(applied, self.files[track])
        known = {row.id for row in applied}
        pending = [migration for migration in self.files[track] if migration.id not in known]
        if applied:
            _refuse_late(pending, applied[-1].id)
        return pending

    def applied(self, track: Track) -> list[Migration]:
        """The track's migrations that its schema has, in order; raises as `pending` does."""
        pending = {migration.id for migration in self.pending(track)}
        return [migration for migration in self.files[track] if migration.id not in pending]

    def up(self, track: Track, migration: Migration) -> Step:
        """Run one migration."""
        self.show(f"{self.schemas[track]}: up {migration.id}")
        began = time.monotonic()
        self.backends[track].apply(migration, self.package, self.shared_revision(track))
        return Step(track, migration.id, "up", time.monotonic() - began)

    def down(self, track: Track, migration: Migration) -> Step:
        """Take one migration back."""
        self.show(f"{self.schemas[track]}: down {migration.id}")
        began = time.monotonic()
        self.backends[track].roll_back(migration)
        return Step(track, migration.id, "down", time.monotonic() - began)

    def shared_revision(self, track: Track) -> str | None:
        """Return the newest migration of ``shared``, which a migration of this track stands on."""
        if track == "shared":
            return None
        applied = self.backends["shared"].applied()
        return applied[-1].id if applied else None

    def stamp(self, track: Track, wanted: Sequence[Migration]) -> list[Step]:
        """Note that the track's schema has the *wanted* migrations and no others."""
        backend = self.backends[track]
        disputed = set(backend.disagreements())
        noted = {row.id: row.checksum for row in backend.applied()}
        checksums = {migration.id: migration.checksum for migration in wanted}
        stays = {id for id, sum in noted.items() if checksums.get(id) == sum} - disputed
        leaving = sorted((noted.keys() | disputed) - stays)
        if track == "shared":
            for migration_id in leaving:
                if migration_id not in checksums:
                    self.refuse_if_needed(migration_id)
        shared_revision = self.shared_revision(track)
        backend.init_connection(self.conn)
        with self.conn.transaction():
            for migration_id in leaving:
                backend.unnote(migration_id, "unmark")
            marked = [migration for migration in wanted if migration.id not in stays]
            for migration in marked:
                backend.note(migration, "mark", self.package, shared_revision)
        unmarked = [id for id in leaving if id not in checksums]
        return [Step(track, id, "unmark", 0.0) for id in unmarked] + [
            Step(track, migration.id, "mark", 0.0) for migration in marked
        ]

    def refuse_if_needed(self, first: str) -> None:
        """Raise `DatabaseError` if a workspace stands on *first* of ``shared``, or a later one."""
        for name in workspaces.names(self.conn):
            applied = Backend(self.conn, "workspace", name).applied()
            needed = max((row.shared_revision or "" for row in applied), default="")
            if needed >= first:
                raise DatabaseError(
                    f"workspace {name} depends on migration {needed} of schema shared, "
                    f"so {first} stays",
                    hint=f"First take workspace {name} back, or drop it",
                )


@contextmanager
def open_run(
    conninfo: str,
    *,
    workspace: str,
    folder: Path,
    package: str,
    show: Show,
    wait: float,
) -> Generator[Run]:
    """Read the files, connect, and hold the lock while the run is used."""
    workspaces.check_name(workspace)
    files: dict[Track, list[Migration]] = {t: read_track(folder / t) for t in TRACKS}
    with connect(conninfo, show) as conn, runner_lock(conn, wait, show):
        yield Run(
            conn,
            workspace=workspace,
            files=files,
            package=package,
            show=show,
        )


def read_conninfo(conninfo: str) -> dict[str, Any]:
    """Return libpq's keywords with their values. Raises `ValidationError` if it can't read them."""
    try:
        return conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        # libpq's message quotes what it could not read, which may be a password.
        raise ValidationError("conninfo", "must be a URI or key=value pairs as libpq's") from None


@contextmanager
def connect(conninfo: str, show: Show) -> Generator[Connection[Any]]:
    """A connection of the runner's own, in autocommit mode; its notices go to *show*.

    Raises `DatabaseNotFoundError` where nothing answers, `ValidationError` for a conninfo
    that libpq cannot read.
    """
    given = read_conninfo(conninfo)
    settings = {"connect_timeout": "10", "application_name": "taskdb migrate"} | given
    try:
        conn = psycopg.connect(
            make_conninfo("", **settings, client_encoding="utf8"),
            autocommit=True,
            prepare_threshold=None,
        )
    except psycopg.OperationalError as exc:
        raise DatabaseNotFoundError(
            str(exc).strip(), hint="Is the server running, and is that its address?"
        ) from exc
    conn.add_notice_handler(lambda notice: show(f"{notice.severity}: {notice.message_primary}"))
    with conn:
        yield conn


def position(files: Sequence[Migration], revision: str) -> int:
    """Return the number of a track's migrations up to and with *revision*.

    A revision is a number, as 3 or 0003, or a whole id; 0 comes before the first. Raises
    `MigrationError` if the track has none such.
    """
    number = revision.zfill(4) if revision.isdigit() else revision
    if number == NOTHING:
        return 0
    for count, migration in enumerate(files, start=1):
        if number in (migration.number, migration.id):
            return count
    raise MigrationError(
        f"there is no migration {revision!r}",
        hint=f"Give a number from 0 to {files[-1].number}, or a file's name without .sql",
    )


def refuse_unknown(
    schema: str, applied: Sequence[AppliedMigration], files: Sequence[Migration], package: str
) -> None:
    """Raise `SchemaVersionMismatchError` for a migration that has no file here."""
    known = {migration.id for migration in files}
    for row in applied:
        if row.id not in known:
            raise SchemaVersionMismatchError(
                f"schema {schema} has migration {row.id}, applied by taskdb {row.package}, "
                f"of which this taskdb {package} has no file",
                hint="Use a package that has it, or put the file back",
            )


def refuse_edited(applied: Sequence[AppliedMigration], files: Sequence[Migration]) -> None:
    """Raise `MigrationError` for a file that is not what was applied."""
    checksums = {row.id: row.checksum for row in applied}
    for migration in files:
        if checksums.get(migration.id, migration.checksum) != migration.checksum:
            raise MigrationError(
                "the file was edited after it was applied",
                where=migration.where,
                hint="Put it back as it was and write a new migration; if nothing but words "
                f"changed: taskdb migrate stamp {applied[-1].id[:4]}",
            )


def refuse_disagreements(schema: str, disagreements: Sequence[str]) -> None:
    """Raise `MigrationError` where another tool wrote yoyo's log."""
    if disagreements:
        raise MigrationError(
            f"schema {schema}: yoyo's log and taskdb's disagree about {', '.join(disagreements)}",
            hint="Another tool migrated here. See what the schema really has, then: "
            "taskdb migrate stamp REVISION",
        )


def _refuse_late(pending: Sequence[Migration], newest: str) -> None:
    for migration in pending:
        if migration.id < newest:
            raise MigrationError(
                f"it comes before {newest}, which is applied already",
                where=migration.where,
                hint="Give it a number after the newest, in the order things happened",
            )
