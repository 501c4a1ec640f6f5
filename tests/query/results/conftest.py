"""Queries of a text, and a caller that is sync or async."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection, Connection

from taskdb.query import Queries, Query
from tests.query.results.values import Make


@pytest.fixture
def queries_of(tmp_path: Path) -> Make:
    """Write SQL to `q.sql` and return its decorator; stubs say `@query(file="q")`."""

    def made(sql: str) -> Queries:
        (tmp_path / "q.sql").write_text(sql)
        return Queries(tmp_path, label="sql")

    return made


@pytest.fixture(params=["sync", "async"])
async def call(
    request: pytest.FixtureRequest, conn: Connection[Any], aconn: AsyncConnection[Any]
) -> Any:
    """Call a query on a connection of either kind; await its result if it must be."""

    async def called(query: Query[..., Any], *args: Any, **kwargs: Any) -> Any:
        if request.param == "sync":
            return query(conn, *args, **kwargs)
        return await query(aconn, *args, **kwargs)

    return called
