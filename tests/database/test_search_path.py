"""A connection that is not taskdb's: it works with the search path, and without is told so."""

from __future__ import annotations

import re

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from taskdb.errors import DatabaseError
from taskdb.queries import claims, dependencies, tasks

MESSAGE = "not in the search path of this connection"


def options_of(error: DatabaseError) -> str:
    """Return the options that the hint says to connect with."""
    found = re.search(r"options='([^']+)'", error.hint or "")
    assert found
    return found[1]


def test_plain_connection_is_told_how_to_set_the_search_path(database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        for call in (
            lambda: tasks.list_tasks(conn),  # a view
            lambda: tasks.create(conn, title="Write"),
            lambda: claims.claim_next(conn, agent="ada"),  # a function
            lambda: dependencies.why_not_ready(conn, "T-1"),
        ):
            with pytest.raises(DatabaseError, match=MESSAGE) as refused, conn.transaction():
                call()

    assert refused.value.sqlstate
    with psycopg.connect(database_url, options=options_of(refused.value)) as conn:
        assert tasks.create(conn, title="Write").title == "Write"
        assert claims.claim_next(conn, agent="ada")


async def test_plain_async_connection_is_told_how_to_set_the_search_path(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url) as conn:
        with pytest.raises(DatabaseError, match=MESSAGE):
            await tasks.list_tasks(conn)


def test_message_names_no_function_of_the_server(conn: Connection) -> None:
    conn.execute("set local search_path = public")

    with pytest.raises(DatabaseError, match=MESSAGE) as refused:
        claims.claim_next(conn, agent="ada")

    assert "claim_tasks" not in str(refused.value.message)
    assert isinstance(refused.value.__cause__, psycopg.errors.UndefinedFunction)
