"""One connection, set up as taskdb's queries expect it; and the place for what that takes."""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

import orjson
import psycopg
from psycopg import AsyncRawServerCursor, RawServerCursor
from psycopg.raw_cursor import AsyncRawCursor, RawCursor
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads

from taskdb.database.settings import Settings
from taskdb.errors import DatabaseError, DatabaseNotFoundError, ValidationError
from taskdb.places import SQL

__all__ = ["AnyConnection", "AsyncConnection", "Connection", "connect", "connect_async"]

Connection: TypeAlias = psycopg.Connection[TupleRow]
AsyncConnection: TypeAlias = psycopg.AsyncConnection[TupleRow]
AnyConnection: TypeAlias = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]

SERVER: Final = (SQL / "session" / "server.sql").read_bytes()


def connect(
    conninfo: str | None = None, *, workspace: str | None = None, autocommit: bool = False
) -> Connection:
    """Open one connection, set up as those of a pool are; the caller closes it.

    The arguments are those of `Database`, and so are the errors.
    """
    return open_connection(Settings.read(conninfo, workspace=workspace), autocommit=autocommit)


async def connect_async(
    conninfo: str | None = None, *, workspace: str | None = None, autocommit: bool = False
) -> AsyncConnection:
    """Open one asynchronous connection: `connect`, awaited."""
    settings = Settings.read(conninfo, workspace=workspace)
    try:
        conn = await psycopg.AsyncConnection.connect(
            settings.conninfo, autocommit=True, cursor_factory=AsyncRawCursor
        )
    except psycopg.OperationalError as exc:
        raise not_found(settings, exc) from exc
    try:
        _refuse_dropped(settings, await (await conn.execute(SERVER)).fetchone())
    except BaseException:
        await conn.close()
        raise
    await conn.set_autocommit(autocommit)
    await set_cursors_async(conn)
    set_json(conn)
    return conn


def open_connection(settings: Settings, *, autocommit: bool = False) -> Connection:
    try:
        conn = psycopg.connect(settings.conninfo, autocommit=True, cursor_factory=RawCursor)
    except psycopg.OperationalError as exc:
        raise not_found(settings, exc) from exc
    try:
        _refuse_dropped(settings, conn.execute(SERVER).fetchone())
    except BaseException:
        conn.close()
        raise
    conn.autocommit = autocommit
    set_cursors(conn)
    set_json(conn)
    return conn


def _refuse_dropped(settings: Settings, row: TupleRow | None) -> None:
    """Refuse a session that is not as *settings* ask: queries would look in another schema."""
    if row is None or (_names(row[2]), row[3]) != (_names(settings.search_path), "UTC"):
        raise DatabaseError(
            f"{settings.place} did not take the settings of the session",
            hint="A pooler drops them: see docs/integration.md, Poolers",
        )


def _names(search_path: str) -> list[str]:
    """The schemas of a search path, whether the server quoted them or not."""
    return [name.strip().strip('"') for name in search_path.split(",")]


def not_found(settings: Settings, exc: psycopg.OperationalError) -> DatabaseNotFoundError:
    # libpq's advice comes on indented lines of their own.
    lines = [line for line in str(exc).splitlines() if not line.startswith("\t")]
    reason = " ".join(" ".join(lines).split()).removeprefix("connection failed: ")
    source = "the connection string given" if settings.source == "conninfo" else settings.source
    if exc.pgconn and exc.pgconn.needs_password:
        hint = f"Give the password in {source}, in PGPASSWORD or in ~/.pgpass"
    elif "startup parameter" in reason:
        hint = "A pooler refuses what taskdb sets: see docs/integration.md, Poolers"
    elif "FATAL: " in reason:
        hint = f"The server answers; mend the user, the password or the database in {source}"
    else:
        hint = f"The address comes from {source}; is the server running there?"
    return DatabaseNotFoundError(f"{settings.place} cannot be reached: {reason}", hint=hint)


def set_cursors(conn: psycopg.Connection[Any]) -> None:
    conn.cursor_factory = RawCursor
    conn.server_cursor_factory = RawServerCursor


async def set_cursors_async(conn: psycopg.AsyncConnection[Any]) -> None:
    conn.cursor_factory = AsyncRawCursor
    conn.server_cursor_factory = AsyncRawServerCursor


def set_json(conn: AnyConnection) -> None:
    # Once a connection: psycopg derives each dumper from the one before.
    set_json_loads(orjson.loads, conn)
    set_json_dumps(_dumps, conn)


def _dumps(value: object) -> bytes:
    try:
        text = orjson.dumps(value)
        if b"null" in text:
            # orjson writes null for NaN and infinity too: json refuses them.
            json.dumps(value, allow_nan=False, default=str)
    except (TypeError, ValueError) as exc:
        raise ValidationError(None, f"cannot be stored as JSON: {exc}") from exc
    return text
