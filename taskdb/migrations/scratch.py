"""Scratch databases for checks: created, handed out, and dropped whatever happens."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, errors
from psycopg.conninfo import make_conninfo

from taskdb.database import databases
from taskdb.errors import DatabaseError
from taskdb.migrations.runner import connect
from taskdb.queries.admin import scratch as queries

PREFIX = "taskdb_scratch"


@contextmanager
def scratch_databases(conninfo: str, count: int) -> Generator[list[str]]:
    """Lend *count* empty databases on the server of *conninfo*, as conninfos of their own.

    Leftovers of checks that were killed are dropped first. Raises `DatabaseError` if the role
    may not create databases.
    """
    with connect(conninfo, lambda _line: None) as conn:
        _drop_leftovers(conn)
        made: list[str] = []
        try:
            while len(made) < count:
                made.append(_create(conn))
            yield [make_conninfo(conninfo, dbname=name) for name in made]
        finally:
            for name in made:
                databases.drop_database(conn, name)


def _create(conn: Connection[Any]) -> str:
    # The name says which session has it: while that lives, it is no leftover.
    name = f"{PREFIX}_{conn.info.backend_pid}_{secrets.token_hex(4)}"
    try:
        databases.create_database(conn, name)
    except errors.InsufficientPrivilege as exc:
        raise DatabaseError(
            f"role {conn.info.user} may not create the scratch databases that this check needs",
            hint=f"Grant it: alter role {conn.info.user} createdb; or use another server, "
            "as the embedded one",
        ) from exc
    return name


def _drop_leftovers(conn: Connection[Any]) -> None:
    for name in queries.leftovers(conn, prefix=PREFIX):
        databases.drop_database(conn, name)
