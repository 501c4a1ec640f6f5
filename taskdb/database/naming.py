"""Statements that name schemas, roles and databases, which a parameter cannot do.

Python writes SQL of its own for these alone, in this folder. psycopg quotes each name.
"""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import Connection, sql

__all__ = ["execute"]


def execute(conn: Connection[Any], statement: LiteralString, **names: str) -> None:
    """Execute *statement* with *names* in place of its fields, as in ``drop schema {schema}``."""
    quoted = {key: sql.Identifier(name) for key, name in names.items()}
    conn.execute(sql.SQL(statement).format(**quoted))
