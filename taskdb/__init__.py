"""A raw-SQL data-access toolkit with no ORM, and the task database built with it.

::

    from taskdb import Database
    from taskdb.queries import claims, tasks

    with Database() as db, db.connection() as conn:
        tasks.create(conn, key="T-1", title="Write the manual")
        claim = claims.claim_next(conn, agent="dev-1")

`taskdb.database` has the connections, `taskdb.queries` the functions, `taskdb.errors` what can go
wrong, `taskdb.query` the toolkit for SQL files of your own.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskdb import errors
    from taskdb.database import AsyncDatabase, Database, DatabaseHealth, connect, connect_async
    from taskdb.database.settings import Settings
    from taskdb.database.verification import verify
    from taskdb.query import UNSET, Queries, Unset

__all__ = [
    "UNSET",
    "AsyncDatabase",
    "Database",
    "DatabaseHealth",
    "Queries",
    "Settings",
    "Unset",
    "connect",
    "connect_async",
    "errors",
    "verify",
]

_HOMES = {
    "UNSET": "query",
    "AsyncDatabase": "database",
    "Database": "database",
    "DatabaseHealth": "database",
    "Queries": "query",
    "Settings": "database.settings",
    "Unset": "query",
    "connect": "database",
    "connect_async": "database",
    "verify": "database.verification",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is: `taskdb --help` needs no database driver."""
    if name == "errors":
        return import_module("taskdb.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'taskdb' has no attribute {name!r}")
    return getattr(import_module(f"taskdb.{_HOMES[name]}"), name)
