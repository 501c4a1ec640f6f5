"""Statements that a test writes itself: what a person types into psql, past the typed functions."""

from __future__ import annotations

from typing import Any

import psycopg


def statement(conn: psycopg.Connection[Any], text: str, *values: Any) -> psycopg.Cursor[Any]:
    """Run *text*; without *values* a per cent sign is only that."""
    return conn.execute(text.encode(), values or None)
