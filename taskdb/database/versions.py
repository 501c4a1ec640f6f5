"""Check on connecting that a database's migrations fit this package.

It needs nothing that the migration runner does, so a service can do without the runner.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, overload

from psycopg import AsyncConnection, Connection

from taskdb.database.settings import DEFAULT, SHARED
from taskdb.errors import DatabaseError, SchemaVersionMismatchError
from taskdb.models.versions import RecordedMigration, SearchedSchema
from taskdb.places import MIGRATIONS
from taskdb.queries import versions as queries
from taskdb.queries.steps import Steps, call, run

__all__ = [
    "FOLDER",
    "PACKAGE",
    "TRACKS",
    "SchemaVersion",
    "Track",
    "closed",
    "ids",
    "require",
    "version",
]

Track: TypeAlias = Literal["shared", "workspace"]
TRACKS: Final[tuple[Track, ...]] = ("shared", "workspace")

FOLDER: Final = MIGRATIONS
"""The tracks that ship with taskdb."""

PACKAGE = package_version("taskdb")
"""The version of this package."""

_RELEASE = re.compile(r"(\d+(?:\.\d+)*)\.?(.*)")


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The newest migration that ``shared`` and a workspace have; None before the first."""

    shared: str | None
    workspace: str | None

    def __str__(self) -> str:
        return f"{self.workspace or 'nothing'} on {self.shared or 'nothing'}"


@overload
def version(conn: Connection[Any]) -> SchemaVersion: ...
@overload
def version(conn: AsyncConnection[Any]) -> Awaitable[SchemaVersion]: ...
def version(
    conn: Connection[Any] | AsyncConnection[Any],
) -> SchemaVersion | Awaitable[SchemaVersion]:
    """The newest migrations of ``shared`` and of the connection's workspace."""
    return run(conn, _version_steps())


@overload
def require(conn: Connection[Any], *, folder: Path = FOLDER) -> None: ...
@overload
def require(conn: AsyncConnection[Any], *, folder: Path = FOLDER) -> Awaitable[None]: ...
def require(
    conn: Connection[Any] | AsyncConnection[Any], *, folder: Path = FOLDER
) -> Awaitable[None] | None:
    """Refuse to work on a schema that this package does not fit; two short queries.

    Raises `SchemaVersionMismatchError` where the schema lacks a migration of this package, or
    has one whose head says ``breaking:`` a later package, `DatabaseError` where the role may
    not use it. Other newer migrations are fine.
    """
    return run(conn, _require_steps(conn.info.user, folder))


def closed(role: str, searched: Sequence[SearchedSchema]) -> DatabaseError | None:
    """The error of a *role* that is kept out of a schema of the search path, or None.

    The server passes over such a schema, as if nothing were there.
    """
    for schema in searched:
        if schema.is_closed:
            return DatabaseError(
                f"role {role} may not use schema {schema.name}",
                hint="Connect as its owner, or let the owner grant the workspace: "
                f"taskdb roles grant {role} --as app",
            )
    return None


def ids(folder: Path) -> list[str]:
    """The migrations' ids, in order, from the file names alone."""
    names = sorted(path.name for path in folder.glob("*.sql"))
    return [name.removesuffix(".sql") for name in names if not name.endswith(".rollback.sql")]


def _version_steps() -> Steps[SchemaVersion]:
    logged: list[str] = yield call(queries.logged_schemas)
    if not _is_migrated(logged):
        return _version([])
    recorded: list[RecordedMigration] = yield call(queries.list_recorded)
    return _version(recorded)


def _require_steps(role: str, folder: Path) -> Steps[None]:
    logged: list[str] = yield call(queries.logged_schemas)
    if not _is_migrated(logged):
        raise _unmigrated(role, logged, (yield call(queries.searched_schemas)))
    _refuse_mismatch(logged, (yield call(queries.list_recorded)), folder)


def _is_migrated(logged: Sequence[str]) -> bool:
    """Return whether both `shared` and the workspace have a log."""
    return len(logged) == len(TRACKS)


def _version(recorded: Sequence[RecordedMigration]) -> SchemaVersion:
    newest = {row.track: row.id for row in recorded}
    return SchemaVersion(newest.get("shared"), newest.get("workspace"))


def _unmigrated(
    role: str, logged: Sequence[str], searched: Sequence[SearchedSchema]
) -> DatabaseError:
    """Say why no log was found: the role may not look, or there is none."""
    refusal = closed(role, searched)
    if refusal:
        return refusal
    workspace = searched[0].name
    missing = f"workspace {workspace}" if logged else "this database"
    return SchemaVersionMismatchError(
        f"{missing} has no taskdb schema yet",
        hint=f"Run: taskdb migrate up{_option([workspace])}",
    )


def _refuse_mismatch(
    logged: Sequence[str], recorded: Sequence[RecordedMigration], folder: Path
) -> None:
    for row in recorded:
        if row.breaking and _release(row.breaking) > _release(PACKAGE):
            raise SchemaVersionMismatchError(
                f"the database has {row.track} migration {row.id}, which needs taskdb "
                f"{row.breaking} or later; this is {PACKAGE}",
                hint=f"Install taskdb {row.breaking} or later",
            )
    have = {(row.track, row.id) for row in recorded}
    for track in TRACKS:
        for migration_id in ids(folder / track):
            if (track, migration_id) not in have:
                raise SchemaVersionMismatchError(
                    f"the database lacks {track} migration {migration_id} of taskdb {PACKAGE}",
                    hint=f"Run: taskdb migrate up{_option(logged)}",
                )


def _option(logged: Sequence[str]) -> str:
    """Return the command line's option for the workspace, empty for the default one."""
    others = set(logged) - {SHARED, DEFAULT}
    return "".join(f" --workspace {name}" for name in others)


def _release(text: str) -> tuple[tuple[int, ...], bool]:
    """A version in its order: a pre-release or development version comes before its release."""
    match = _RELEASE.match(text)
    if match is None:
        raise SchemaVersionMismatchError(
            f"{text!r} is no version that taskdb {PACKAGE} understands"
        )
    numbers = [int(part) for part in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), not re.match(r"[-_.]?(a|b|c|rc|alpha|beta|pre|dev)", match[2])
