"""The task database as typed functions: one module an area, named as in `sql/queries`.

Every function takes a psycopg connection first. With a `Connection` it returns the
result, with an `AsyncConnection` what awaits it. None commits: the caller owns the
connection and the transaction.

An area is imported with its module, and its stubs are compared with its file then. `query`
holds them all: going through it imports the rest.
"""

from importlib import import_module
from types import ModuleType

from taskdb.places import QUERIES
from taskdb.query import Queries

query = Queries(QUERIES, package=__name__)


def __getattr__(name: str) -> ModuleType:
    """Import an area where it is named as `queries.tasks`."""
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as exc:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from exc
