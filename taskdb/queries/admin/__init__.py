"""Queries of operators and developers: one module an area, named as in `sql/queries/admin`.

A service calls none of them, so its `taskdb.verify` does not answer for them.
"""

from taskdb.constraints import CONSTRAINTS, without_shard
from taskdb.errors import ERRORS
from taskdb.places import EXPECTATIONS, QUERIES
from taskdb.query import Queries

query = Queries(
    QUERIES / "admin",
    label="sql/queries/admin",
    package=__name__,
    expectations=EXPECTATIONS / "admin",
    errors=ERRORS,
    constraints=CONSTRAINTS,
    real_name=without_shard,
)
