"""Workspaces: one PostgreSQL schema a team, made and dropped here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg import Connection, sql

from taskdb.database.naming import execute
from taskdb.database.settings import DEFAULT, SHARED, Workspace, check_name
from taskdb.errors import DatabaseError
from taskdb.queries.admin import migrations as log_queries
from taskdb.queries.admin import workspaces as queries
from taskdb.query import checked

__all__ = ["DEFAULT", "SHARED", "check_name", "create", "drop", "exists", "names"]

MARK: Final = "A taskdb workspace."


@checked
def create(conn: Connection[Any], name: Workspace) -> bool:
    """Create the empty schema of workspace *name*; return False if it was there.

    `taskdb.migrations.up` fills it. Raises `ValidationError` for a name that will not do.
    """
    return create_schema(conn, check_name(name))


def create_schema(conn: Connection[Any], name: str) -> bool:
    """Create a workspace's schema, or ``shared``, unless it is there; say whether it was made."""
    if exists(conn, name):
        return False
    with conn.transaction():
        execute(conn, "create schema {schema}", schema=name)
        if name != SHARED:
            comment = sql.SQL("comment on schema {} is {}")
            conn.execute(comment.format(sql.Identifier(name), sql.Literal(MARK)))
    return True


@checked
def drop(conn: Connection[Any], name: Workspace) -> bool:
    """Drop workspace *name* with everything in it; return False if there is no such schema.

    Raises `DatabaseError` for a schema that is no workspace.
    """
    if not exists(conn, check_name(name)):
        return False
    if name not in names(conn):
        raise DatabaseError(
            f"schema {name} is not a workspace of taskdb",
            hint="If it is really to go: drop schema ... cascade, by hand",
        )
    execute(conn, "drop schema {schema} cascade", schema=name)
    return True


@checked
def exists(conn: Connection[Any], name: Workspace) -> bool:
    """Return whether a schema of that name exists."""
    return queries.schema_exists(conn, name=name)


def names(conn: Connection[Any]) -> list[str]:
    """The database's workspaces: schemas that taskdb made so, or that its migrations filled."""
    return queries.list_workspaces(conn)


def set_search_path(conn: Connection[Any], name: str) -> str:
    """Set, and return, the search path that workspace *name*, or ``shared``, is worked on with."""
    return log_queries.set_path(conn, schemas=list(dict.fromkeys((name, SHARED, "pg_temp"))))


def table_rows(conn: Connection[Any], name: str, table: str, columns: Sequence[str]) -> list[str]:
    """All rows of a table, these columns of them, as lines of ``copy``."""
    statement = sql.SQL("copy {}.{} ({}) to stdout").format(
        sql.Identifier(name),
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(copy).decode().splitlines()


def lock_table(conn: Connection[Any], name: str, table: str) -> None:
    """Let only readers into a table until the transaction ends, for a check."""
    execute(
        conn, "lock table {schema}.{table} in share row exclusive mode", schema=name, table=table
    )
