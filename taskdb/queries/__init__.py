"""The task database as typed functions: one module an area, named as in `sql/queries`.

Every function takes a psycopg connection first. With a `Connection` it returns the
result, with an `AsyncConnection` what awaits it. None commits: the caller owns the
connection and the transaction.

An area is imported with its module, and its stubs are compared with its file then. `query`
holds them all: going through it imports the rest.
"""

from taskdb.constraints import CONSTRAINTS, without_shard
from taskdb.errors import ERRORS
from taskdb.places import EXPECTATIONS, QUERIES
from taskdb.query import Queries

query = Queries(
    QUERIES,
    package=__name__,
    expectations=EXPECTATIONS,
    errors=ERRORS,
    constraints=CONSTRAINTS,
    real_name=without_shard,
)
