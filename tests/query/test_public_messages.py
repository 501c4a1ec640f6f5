"""Messages that a service passes on to its clients: none names a function inside of taskdb."""

from __future__ import annotations

import inspect
import re
import typing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import psycopg
import pytest

from taskdb import queries
from taskdb.errors import NotFoundError, TaskdbError
from taskdb.query import Query
from tests.plans import Plan

Conn = psycopg.Connection
SAMPLES: dict[Any, Any] = {
    str: "nobody",
    int: 1,
    bool: True,
    UUID: UUID(int=7),
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
    timedelta: timedelta(seconds=1),
    Decimal: Decimal(1),
}


def sample(annotation: Any) -> Any:
    """Return a value that the annotation takes and that no row has."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return sample(arguments[0])
    if origin is typing.Literal:
        return arguments[0]
    if origin in (list, dict):
        return origin()
    if arguments:  # A union: its first member.
        return sample(arguments[0])
    return next(iter(annotation)) if issubclass(annotation, Enum) else SAMPLES[annotation]


# Every query that a service may call, but for those that copy.
CALLS = [query for query in queries.query if query.statement.copy_columns is None]


@pytest.fixture(scope="module")
def internal(shared_database_url: str) -> set[str]:
    """The names of functions, in Python and in the database, that no reader would take for words.

    A column of that name is a word of the model.
    """
    with psycopg.connect(shared_database_url) as conn:
        rows = conn.execute(
            "select proname from pg_proc where pronamespace in"
            " (select oid from pg_namespace where nspname in ('taskdb', 'shared'))"
            " except select attname from pg_attribute"
        ).fetchall()
        columns = conn.execute("select distinct attname from pg_attribute").fetchall()
    names = {name for (name,) in rows} | {query.name.split(".")[1] for query in CALLS}
    return {name for name in names - {name for (name,) in columns} if "_" in name}


def refusal(conn: Conn, query: Query[..., Any], arguments: dict[str, Any]) -> str:
    """Return what a service tells of the call's error, and nothing where it is not refused."""
    try:
        with conn.transaction():
            query(conn, **arguments)
    except TaskdbError as error:
        return f"{error.message} {error.hint or ''}"
    except psycopg.Error:
        pass  # Not taskdb's: a service does not pass it on.
    return ""


@pytest.mark.parametrize("query", CALLS, ids=lambda query: query.name)
def test_message_of_a_refusal_names_no_function(
    conn: Conn, plan: Plan, internal: set[str], query: Query[..., Any]
) -> None:
    hints = typing.get_type_hints(query.function, include_extras=True)
    arguments = {
        name: sample(hints[name])
        for name, parameter in inspect.signature(query.function).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    message = refusal(conn, query, arguments)

    assert set(re.findall(r"\w+", message)) & internal == set()
    assert query.name not in message


def test_what_is_not_found_is_named_by_its_key_alone(conn: Conn) -> None:
    with pytest.raises(NotFoundError) as refused:
        queries.tasks.get_by_key(conn, key="T-404")

    assert refused.value.message == "no row was found for key='T-404'"


def test_unknown_task_is_not_ready_but_not_found(conn: Conn) -> None:
    with pytest.raises(NotFoundError, match="T-404"):
        queries.dependencies.why_not_ready(conn, "T-404")
    with pytest.raises(NotFoundError, match="T-404"):
        queries.dependencies.why_not_ready(conn, "T-404", agent="ada", agent_type="coder")


async def test_unknown_task_is_not_found_asynchronously(aconn: psycopg.AsyncConnection) -> None:
    with pytest.raises(NotFoundError, match="T-404"):
        await queries.dependencies.why_not_ready(aconn, "T-404")
