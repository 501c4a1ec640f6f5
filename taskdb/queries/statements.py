"""What needs pg_stat_statements: `sql/queries/extensions/statements.sql`.

These queries have a `Queries` of their own: a database without the extension is none the worse.
"""

from __future__ import annotations

from importlib.resources import files

from taskdb.models.statements import StatementCost
from taskdb.query import Queries

__all__ = ["list_statements", "query"]

query = Queries(
    files("taskdb").joinpath("sql", "queries", "extensions"), label="sql/queries/extensions"
)


@query
def list_statements(*, application: str) -> list[StatementCost]:
    """Return what each query of *application* (`Queries.name`) has cost, the costliest first."""
    ...


query.complete()
