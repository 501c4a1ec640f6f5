"""Databases of checks and test runs: made, copied, renamed and dropped."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from taskdb.database.naming import execute

__all__ = [
    "close_database",
    "copy_database",
    "create_database",
    "drop_database",
    "rename_database",
]


def create_database(conn: Connection[Any], name: str) -> None:
    """Create an empty database, for a check; *conn* is in autocommit mode."""
    execute(conn, "create database {database} template template0", database=name)


def copy_database(conn: Connection[Any], name: str, template: str, *, owner: str) -> None:
    """Create a database of a test run as a copy of *template*; *conn* is in autocommit mode."""
    # By files: half the time of the default on a server without durability.
    execute(
        conn,
        "create database {database} owner {owner} template {template} strategy file_copy",
        database=name,
        owner=owner,
        template=template,
    )


def close_database(conn: Connection[Any], name: str) -> None:
    """Let nobody connect to a database, so that it can be copied at any time."""
    execute(conn, "alter database {database} allow_connections false", database=name)


def rename_database(conn: Connection[Any], name: str, new_name: str) -> None:
    """Give such a database a name to stay; *conn* is in autocommit mode.

    Raises psycopg's `DuplicateDatabase` if there is one of that name.
    """
    execute(conn, "alter database {old} rename to {new}", old=name, new=new_name)


def drop_database(conn: Connection[Any], name: str) -> None:
    """Drop such a database, with whoever is still connected; *conn* is in autocommit mode."""
    execute(conn, "drop database if exists {database} with (force)", database=name)
