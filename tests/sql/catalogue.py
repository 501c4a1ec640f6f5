"""The schemas of taskdb, and their catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

SQL = Path(__file__).parents[2] / "sql"
SCHEMAS = "('shared', 'taskdb')"

# Relations, functions and types of the two schemas, without those of extensions.
OURS = f"""
    namespace.nspname in {SCHEMAS}
    and not exists (
        select from pg_depend as part
        where part.objid = object.oid and part.deptype = 'e'
    )
"""


def listed(conn: Connection, statement: str) -> list[Any]:
    """The first column of each row, or the whole row if there are more."""
    rows = conn.execute(statement.encode()).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]
