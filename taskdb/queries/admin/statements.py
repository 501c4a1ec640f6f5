"""Queries that need pg_stat_statements: `sql/queries/admin/extensions/statements.sql`.

These queries have a `Queries` of their own: a database without the extension is none the worse.
"""

from __future__ import annotations

from taskdb.models.admin.statements import StatementCost
from taskdb.places import QUERIES
from taskdb.query import Queries

__all__ = ["list_statements", "query"]

query = Queries(QUERIES / "admin" / "extensions", label="sql/queries/admin/extensions")


@query
def list_statements(*, application: str) -> list[StatementCost]:
    """Return the cost of each query of *application* (`Queries.name`), the costliest first."""
    ...


query.complete()
