"""`taskdb.verify`: do taskdb's queries, or a project's own, fit the database they will run on?"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, overload

from psycopg import AsyncConnection, Connection

from taskdb import queries as shipped
from taskdb.query import Queries, verification

__all__ = ["verify"]


@overload
def verify(conn: Connection[Any], queries: Queries | None = None) -> None: ...
@overload
def verify(
    conn: AsyncConnection[Any], queries: Queries | None = None
) -> Coroutine[Any, Any, None]: ...
def verify(
    conn: Connection[Any] | AsyncConnection[Any], queries: Queries | None = None
) -> Coroutine[Any, Any, None] | None:
    """Do what `taskdb.query.verify` does, for *queries*, or for all that a service may call."""
    return verification.verify(conn, shipped.query if queries is None else queries)
