"""Statements of roles: run them, and tell a missing privilege from all else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString, cast

import psycopg

MakeRole = Callable[[], tuple[str, str]]
Conn = psycopg.Connection[Any]
Refused = psycopg.errors.InsufficientPrivilege


def execute(conn: Conn, statement: str) -> list[tuple[Any, ...]]:
    found = conn.execute(cast("LiteralString", statement))
    return found.fetchall() if found.description else []


def is_refused(conn: Conn, statement: str) -> bool:
    """Return whether a statement fails for a missing privilege; other errors are no refusal."""
    try:
        with conn.transaction(force_rollback=True):
            execute(conn, statement)
    except Refused:
        return True
    except psycopg.Error:
        return False
    return False
