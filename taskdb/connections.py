"""One connection, set up as taskdb's queries expect it; and the place for what that takes."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import orjson
import psycopg
from psycopg import AsyncRawServerCursor, RawServerCursor
from psycopg.raw_cursor import AsyncRawCursor, RawCursor
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads

from taskdb.errors import DatabaseNotFoundError, ValidationError
from taskdb.settings import Settings

__all__ = ["AnyConnection", "AsyncConnection", "Connection", "connect", "connect_async"]

Connection: TypeAlias = psycopg.Connection[TupleRow]
AsyncConnection: TypeAlias = psycopg.AsyncConnection[TupleRow]
AnyConnection: TypeAlias = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]


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
            settings.conninfo, autocommit=autocommit, cursor_factory=AsyncRawCursor
        )
    except psycopg.OperationalError as exc:
        raise not_found(settings, exc) from exc
    await set_cursors_async(conn)
    set_json(conn)
    return conn


def open_connection(settings: Settings, *, autocommit: bool = False) -> Connection:
    try:
        conn = psycopg.connect(settings.conninfo, autocommit=autocommit, cursor_factory=RawCursor)
    except psycopg.OperationalError as exc:
        raise not_found(settings, exc) from exc
    set_cursors(conn)
    set_json(conn)
    return conn


def not_found(settings: Settings, exc: psycopg.OperationalError) -> DatabaseNotFoundError:
    # libpq's advice comes on indented lines of their own.
    lines = [line for line in str(exc).splitlines() if not line.startswith("\t")]
    reason = " ".join(" ".join(lines).split()).removeprefix("connection failed: ")
    source = "the connection string given" if settings.source == "conninfo" else settings.source
    return DatabaseNotFoundError(
        f"{settings.place} cannot be reached: {reason}",
        hint=f"The server answers; mend the user, the password or the database in {source}"
        if "FATAL: " in reason
        else f"The address comes from {source}; is the server running there?",
    )


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
