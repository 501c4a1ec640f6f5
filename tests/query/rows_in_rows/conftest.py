"""The tables of the shop, on both kinds of connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from taskdb.query import Queries
from tests.query.rows_in_rows.baskets import SCHEMA, Connection, Make


@pytest.fixture
def shop(conn: Connection) -> Connection:
    """A connection with the shop's tables, in a transaction that is rolled back."""
    conn.execute("create schema rows_in_rows")
    conn.execute("set local search_path = rows_in_rows")
    conn.execute(SCHEMA)
    return conn


@pytest.fixture
async def ashop(aconn: AsyncConnection[Any]) -> AsyncConnection[Any]:
    await aconn.execute("create schema rows_in_rows")
    await aconn.execute("set local search_path = rows_in_rows")
    await aconn.execute(SCHEMA)
    return aconn


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a statement named `q` to `q.sql` and return its decorator."""

    def made(sql: str) -> Queries:
        (tmp_path / "q.sql").write_text(f"-- name: q\n{sql};\n")
        return Queries(tmp_path, label="sql")

    return made
