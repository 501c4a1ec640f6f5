"""Logic shared by sync and async connections: all but the waiting."""

from __future__ import annotations

import json
import re
import select
import time
import weakref
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import orjson
import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads

from taskdb.database.settings import Settings
from taskdb.errors import DatabaseError, DatabaseNotFoundError, ValidationError
from taskdb.places import SQL

__all__ = [
    "CHECK_SECONDS",
    "COMMIT_WAKING",
    "DROP_PROBE",
    "GRACE_SECONDS",
    "PREPARE_THRESHOLD",
    "PROBE",
    "PROBES",
    "PROBE_NAME",
    "PROCESS",
    "RESET",
    "SERVER",
    "WAIT_INTERVAL",
    "WAKE",
    "WAKE_EVERYONE",
    "AnyConnection",
    "AsyncConnection",
    "Connection",
    "WaitTimeout",
    "ended_error",
    "ends_transaction",
    "has_others",
    "in_block_error",
    "limit_of",
    "may_be_dead",
    "mixed_up",
    "moves_path",
    "not_found",
    "note_readiness",
    "refuse_dropped",
    "refuse_failed",
    "returned_error",
    "set_json",
    "sets_timeout",
    "unanswered",
]

Connection: TypeAlias = psycopg.Connection[TupleRow]
AsyncConnection: TypeAlias = psycopg.AsyncConnection[TupleRow]
AnyConnection: TypeAlias = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]

# psycopg raises it where a wait takes too long, and gives it no public name.
WaitTimeout: Final[type[psycopg.OperationalError]] = psycopg.errors._WaitTimeout  # pyright: ignore[reportPrivateUsage]

SERVER: Final = (SQL / "session" / "server.sql").read_bytes()
PROCESS: Final = (SQL / "session" / "process.sql").read_bytes()
PROBE: Final = (SQL / "session" / "probe.sql").read_bytes()
DROP_PROBE: Final = (SQL / "session" / "drop_probe.sql").read_bytes()
# Looks at which process a pooler gives to two clients: when it is busy, they may differ by chance.
PROBES: Final = 8
PROBE_NAME: Final = b"taskdb_probe"
RESET: Final = (SQL / "session" / "reset.sql").read_bytes()
COMMIT_WAKING: Final = (SQL / "session" / "commit_waking.sql").read_bytes()
WAKE: Final = (SQL / "session" / "wake.sql").read_bytes()
WAKE_EVERYONE: Final = (SQL / "session" / "wake_everyone.sql").read_bytes()
# The server's notice that a transaction made a task ready: note_ready.sql.
READY: Final = "TD100"

# The client waits this much longer than the server takes at most, for the network's sake.
GRACE_SECONDS: Final = 5.0
# A connection that is checked answers at once, or not at all.
CHECK_SECONDS: Final = 3.0
# One that was used just now is checked only if something came from the server meanwhile.
IDLE_SECONDS: Final = 10.0
# The interval at which a wait looks for Ctrl-C; psycopg's own.
WAIT_INTERVAL: Final = 0.1
PREPARE_THRESHOLD: Final = 5

# A duration as PostgreSQL shows it, in the largest unit that has no fraction.
_DURATION: Final = re.compile(r"(\d+)(ms|s|min|h|d)?")
_SECONDS: Final = {None: 0.001, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_SETS_TIMEOUT: Final = re.compile(
    r"\bset(_config\s*\(\s*'|\s+((session|local)\s+)?)statement_timeout\b", re.IGNORECASE
)
# After these, what taskdb's schema has is not found by its name any more.
_MOVES_PATH: Final = re.compile(r"\bsearch_path\b|\bset\s+(\w+\s+)?(schema|role)\b", re.IGNORECASE)
# Comments, and one of these words; `rollback to` goes back to a savepoint.
_ENDS_TRANSACTION: Final = re.compile(
    r"(?:\s|--[^\n]*\n|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)*"
    r"(?:commit|end|abort|rollback|prepare\s+transaction)\b"
    r"(?!\s+(?:(?:work|transaction)\s+)?to\b)",
    re.IGNORECASE,
)
# Messages of a server that lets nobody, or nobody else, in.
BUSY: Final = {
    "starting up": "The server is starting: try again in a moment",
    "in recovery": "The server recovers from a crash, or follows another: try again in a moment",
    "not yet accepting": "The server is starting: try again in a moment",
    "shutting down": "The server is shutting down",
    "too many": "All of the server's connections are in use: lower DB_POOL_MAX of its clients, "
    "or raise max_connections",
    "connection slots": "All of the server's connections are in use: lower DB_POOL_MAX of its "
    "clients, or raise max_connections",
}


def may_be_dead(pgconn: PGconn, used_at: float) -> bool:
    """Return whether a connection was idle for long or has unread input, such as a goodbye."""
    if time.monotonic() - used_at > IDLE_SECONDS:
        return True
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def sets_timeout(query: object) -> bool:
    """Return whether a statement may change the statement timeout."""
    return _SETS_TIMEOUT.search(_text(query)) is not None


def moves_path(query: object) -> bool:
    """Return whether a statement may change the search path or the role."""
    return _MOVES_PATH.search(_text(query)) is not None


def _text(query: object) -> str:
    return query.decode("utf-8", "replace") if isinstance(query, bytes) else str(query)


def has_others(conn: AnyConnection, names: PGresult) -> bool:
    """Return whether a session has other prepared statements than psycopg believes."""
    # psycopg does not say which it has prepared.
    believed = set(conn._prepared._names.values())  # pyright: ignore[reportPrivateUsage]
    return believed != {names.get_value(row, 0) for row in range(names.ntuples)}


def note_readiness(conn: AnyConnection) -> None:
    """Have `conn.made_ready` set by the notice that a transaction made a task ready."""
    # A handler that held its connection would keep it alive in a circle.
    target: weakref.ref[Any] = weakref.ref(conn)

    def heed(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.sqlstate == READY and (conn := target()) is not None:
            conn.made_ready = True

    conn.add_notice_handler(heed)


def ends_transaction(query: object) -> bool:
    """Return whether a statement ends its transaction, and not a savepoint."""
    return _ENDS_TRANSACTION.match(_text(query)) is not None


def in_block_error(what: str) -> psycopg.ProgrammingError:
    """Return the error of who would end a transaction that is the pool's to end."""
    return psycopg.ProgrammingError(f"{what} is forbidden within Database.transaction()")


def ended_error() -> psycopg.ProgrammingError:
    """Return the error of a statement that ends the transaction of an open block."""
    return psycopg.ProgrammingError(
        "a statement that ends the transaction is forbidden within a block of one transaction:"
        " leave the block"
    )


def returned_error() -> psycopg.ProgrammingError:
    """Return the error of who uses a connection of the pool after its block."""
    return psycopg.ProgrammingError(
        "the connection went back to the pool when its block ended: use it inside of the block"
    )


def unanswered(place: str, limit: float) -> DatabaseNotFoundError:
    """Return the error of a server that is silent."""
    return DatabaseNotFoundError(
        f"{place} did not answer within {limit:g} seconds",
        hint="Is the server stopped, or the network? Whether the statement was done is unknown",
    )


def limit_of(row: TupleRow | None) -> float | None:
    """Return how many seconds to wait for an answer, by what `server.sql` returned."""
    found = _DURATION.fullmatch(row[4]) if row else None
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    return seconds + GRACE_SECONDS if seconds else None


def refuse_failed(results: Sequence[PGresult]) -> None:
    """Raise the error that is among the results of statements sent past a cursor."""
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(result)


def refuse_dropped(settings: Settings, row: TupleRow | None) -> None:
    """Refuse a session that is not as *settings* ask: queries would look in another schema."""
    if row is None or (_names(row[2]), row[3]) != (_names(settings.search_path), "UTC"):
        raise DatabaseError(
            f"{settings.place} did not take the settings of the session",
            hint="A pooler drops them: see docs/integration.md, Poolers",
        )


def mixed_up(settings: Settings) -> DatabaseError:
    """Return the error of a pooler behind which one client may run another's statement."""
    return DatabaseError(
        f"{settings.place} is behind a pooler in transaction mode that mixes up the prepared"
        " statements of its clients",
        hint="Set DB_PREPARE=off; or use PgBouncer 1.21 or newer with max_prepared_statements above"
        " zero, or session mode: see docs/integration.md, Poolers",
    )


def _names(search_path: str) -> list[str]:
    """The schemas of a search path, whether the server quoted them or not."""
    return [name.strip().strip('"') for name in search_path.split(",")]


def not_found(settings: Settings, exc: psycopg.OperationalError) -> DatabaseNotFoundError:
    """Return the error of a connection that could not be made, with what to do about it."""
    # libpq's advice comes on indented lines of their own.
    lines = [line for line in str(exc).splitlines() if not line.startswith("\t")]
    reason = " ".join(" ".join(lines).split()).removeprefix("connection failed: ")
    source = "the connection string given" if settings.source == "conninfo" else settings.source
    busy = next((hint for words, hint in BUSY.items() if words in reason), None)
    if exc.pgconn and exc.pgconn.needs_password:
        hint = f"Give the password in {source}, in PGPASSWORD or in ~/.pgpass"
    elif "startup parameter" in reason:
        hint = "A pooler refuses what taskdb sets: see docs/integration.md, Poolers"
    elif "FATAL: " in reason and busy:
        hint = busy
    elif "FATAL: " in reason:
        hint = (
            "The server is up but refused the login: check the user, the password and the "
            f"database in {source}"
        )
    else:
        hint = f"The address comes from {source}; is the server running there?"
    return DatabaseNotFoundError(f"{settings.place} cannot be reached: {reason}", hint=hint)


def set_json(conn: AnyConnection) -> None:
    """Have a connection read and write JSON with orjson."""
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
