"""Migrations that bring a database to the current schema, and back.

Two tracks of plain SQL files: ``migrations/shared`` first, into the schema ``shared``, then
``migrations/workspace`` into the workspace's own. Each schema keeps its own log. Every
function takes a conninfo as libpq does: a URI, or ``key=value`` pairs. *folder* is where the
tracks lie, *show* gets a line for each step and the server's notices, and *wait* is how many
seconds another runner is waited for. docs/migrations.md says how to write a file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from psycopg import Connection, pq

from taskdb.database import roles, workspaces
from taskdb.database.settings import Conninfo, Workspace
from taskdb.database.versions import (
    FOLDER,
    PACKAGE,
    TRACKS,
    SchemaVersion,
    Track,
    require,
    version,
)
from taskdb.errors import (
    DatabaseNotFoundError,
    MigrationError,
)
from taskdb.migrations.backend import Backend, Show
from taskdb.migrations.files import Migration, new_files, read_track
from taskdb.migrations.runner import (
    Run,
    Step,
    connect,
    open_run,
    position,
    read_conninfo,
)
from taskdb.queries.fields import Limit
from taskdb.query import Length, Range, checked

__all__ = [
    "FOLDER",
    "PACKAGE",
    "WAIT_SECONDS",
    "Check",
    "Destination",
    "Happening",
    "MigrationError",
    "MigrationStatus",
    "SchemaVersion",
    "Step",
    "check",
    "down",
    "history",
    "new",
    "require",
    "stamp",
    "status",
    "target",
    "up",
    "version",
]

WAIT_SECONDS = 60.0
"""Seconds that a run waits for another."""

Revision = Annotated[str, Length(1, 200)]
Seconds = Annotated[float, Range(0.0, 86_400.0)]

State: TypeAlias = Literal["applied", "pending", "edited", "no file", "disputed"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Destination:
    """Target of a command; its text is the line to print before."""

    server: str
    database: str
    user: str
    workspace: str

    def __str__(self) -> str:
        return (
            f"server {self.server}, database {self.database}, workspace {self.workspace}, "
            f"as {self.user}"
        )


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """One migration, as the files and the database have it.

    ``edited``: its file is not what was applied. ``no file``: applied by another package.
    ``disputed``: another tool wrote yoyo's log.
    """

    track: Track
    id: str
    title: str
    state: State
    applied_at: datetime | None


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that was done to a track: apply, rollback, mark or unmark."""

    track: Track
    id: str
    operation: str
    at: datetime
    username: str
    hostname: str


@dataclass(frozen=True, slots=True)
class Check:
    """Result of `check`: whether a database is current, and the differences.

    `exit_status` is 0 for current, 1 for behind, edited or ahead, 2 for unreachable.
    """

    exit_status: Literal[0, 1, 2]
    findings: tuple[str, ...]


@checked
def target(conninfo: Conninfo, *, workspace: Workspace = workspaces.DEFAULT) -> Destination:
    """Say what *conninfo* and libpq's environment lead to, without connecting."""
    found = {
        option.keyword.decode(): (option.val or b"").decode()
        for option in pq.Conninfo.get_defaults()
    }
    found |= {key: str(value) for key, value in read_conninfo(conninfo).items()}
    host = found["host"] or found["hostaddr"] or "the local socket"
    port = found["port"] or "5432"
    user = found["user"]
    return Destination(f"{host}:{port}", found["dbname"] or user, user, workspace)


@checked
def up(
    conninfo: Conninfo,
    *,
    workspace: Workspace = workspaces.DEFAULT,
    folder: Path = FOLDER,
    show: Show = _logger.info,
    wait: Seconds = WAIT_SECONDS,
) -> list[Step]:
    """Bring ``shared`` and then *workspace* up to date, creating both if need be.

    Each file is one transaction with its log, so that whatever ends a run leaves whole files
    behind. Returns the steps taken, none if all was current.

    Raises `MigrationError` for a file that is wrong, was edited, or fails, with file and line;
    `SchemaVersionMismatchError` where the database has migrations that this package lacks;
    `DatabaseNotFoundError` where nothing answers; `DatabaseError` if another run takes longer
    than *wait*.
    """
    with _run(conninfo, workspace, folder, show, wait) as run:
        run.prepare()
        pending: list[tuple[Track, Migration]] = [
            (track, migration) for track in TRACKS for migration in run.pending(track)
        ]
        steps = [run.up(track, migration) for track, migration in pending]
        if steps:
            roles.refresh(run.conn, workspace)
        return steps


@checked
def down(
    conninfo: Conninfo,
    to: Revision | None = None,
    *,
    shared: bool = False,
    workspace: Workspace = workspaces.DEFAULT,
    folder: Path = FOLDER,
    show: Show = _logger.info,
    wait: Seconds = WAIT_SECONDS,
) -> list[Step]:
    """Take the newest migration of the workspace back, or all after revision *to*.

    *to* stays; ``"0"`` takes everything back. With *shared* the other track, which is refused
    while a workspace stands on what would go. Returns the steps taken; raises as `up` does.
    """
    track: Track = "shared" if shared else "workspace"
    with _run(conninfo, workspace, folder, show, wait) as run:
        applied = run.applied(track)
        stay = max(len(applied) - 1, 0) if to is None else _applied_position(run, track, to)
        going = applied[stay:]
        if shared and going:
            run.refuse_if_needed(going[0].id)
        return [run.down(track, migration) for migration in reversed(going)]


@checked
def stamp(
    conninfo: Conninfo,
    revision: Revision,
    *,
    shared: bool = False,
    workspace: Workspace = workspaces.DEFAULT,
    folder: Path = FOLDER,
    show: Show = _logger.info,
    wait: Seconds = WAIT_SECONDS,
) -> list[Step]:
    """Note that the schema has the migrations up to *revision* and no others; run nothing.

    For a database that was brought there by other means, and for a file of which nothing but
    words changed. Returns what was marked and unmarked; raises as `up` does.
    """
    track: Track = "shared" if shared else "workspace"
    with _run(conninfo, workspace, folder, show, wait) as run:
        run.prepare()
        wanted = run.files[track][: position(run.files[track], revision)]
        return run.stamp(track, wanted)


@checked
def status(
    conninfo: Conninfo, *, workspace: Workspace = workspaces.DEFAULT, folder: Path = FOLDER
) -> list[MigrationStatus]:
    """Every migration of both tracks, in order, with what the database has of it."""
    workspaces.check_name(workspace)
    with connect(conninfo, _logger.info) as conn:
        return [
            row
            for track in TRACKS
            for row in _status_of(_backend(conn, track, workspace), read_track(folder / track))
        ]


@checked
def history(
    conninfo: Conninfo, *, workspace: Workspace = workspaces.DEFAULT, limit: Limit | None = None
) -> list[Happening]:
    """All that was done to ``shared`` and the workspace, newest first, *limit* at most."""
    workspaces.check_name(workspace)
    with connect(conninfo, _logger.info) as conn:
        happenings = [
            Happening(track, entry.id, entry.operation, entry.at, entry.username, entry.hostname)
            for track in TRACKS
            for entry in _backend(conn, track, workspace).history()
        ]
    return sorted(happenings, key=lambda happening: happening.at, reverse=True)[:limit]


@checked
def check(
    conninfo: Conninfo, *, workspace: Workspace = workspaces.DEFAULT, folder: Path = FOLDER
) -> Check:
    """Check that the database has exactly these files: nothing pending, edited or unknown.

    Changes nothing. An unreachable database is an answer here, not an error.
    """
    try:
        rows = status(conninfo, workspace=workspace, folder=folder)
    except DatabaseNotFoundError as exc:
        return Check(2, (str(exc),))
    findings = tuple(
        f"{row.track}: {row.id}: {row.state}" for row in rows if row.state != "applied"
    )
    return Check(1 if findings else 0, findings)


@checked
def new(name: Revision, *, shared: bool = False, folder: Path = FOLDER) -> tuple[Path, Path]:
    """Write the next migration of a track and its rollback, heads to be filled in.

    *name* is a verb and an object, as ``add-due-date``. Returns both paths; raises
    `MigrationError` for a name that will not do.
    """
    return new_files(folder / ("shared" if shared else "workspace"), name)


def _run(
    conninfo: Conninfo, workspace: str, folder: Path, show: Show, wait: float
) -> AbstractContextManager[Run]:
    return open_run(
        conninfo, workspace=workspace, folder=folder, package=PACKAGE, show=show, wait=wait
    )


def _applied_position(run: Run, track: Track, revision: str) -> int:
    count = position(run.files[track], revision)
    applied = run.applied(track)
    if count > len(applied):
        newest = applied[-1].id if applied else "none"
        raise MigrationError(
            f"schema {run.schemas[track]} does not have {revision}",
            hint=f"Its newest migration is {newest}",
        )
    return count


def _backend(conn: Connection[Any], track: Track, workspace: str) -> Backend:
    return Backend(conn, track, workspaces.SHARED if track == "shared" else workspace)


def _status_of(backend: Backend, files: Sequence[Migration]) -> Iterator[MigrationStatus]:
    track: Track = "shared" if backend.track == "shared" else "workspace"
    applied = {row.id: row for row in backend.applied()}
    disputed = set(backend.disagreements())
    known = {migration.id: migration for migration in files}
    for migration_id in sorted(known.keys() | applied.keys() | disputed):
        migration, row = known.get(migration_id), applied.get(migration_id)
        state: State = "applied"
        if migration_id in disputed:
            state = "disputed"
        elif migration is None:
            state = "no file"
        elif row is None:
            state = "pending"
        elif row.checksum != migration.checksum:
            state = "edited"
        title = migration.head.title if migration else ""
        yield MigrationStatus(track, migration_id, title, state, row.applied_at if row else None)
