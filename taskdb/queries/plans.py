"""What the plan check asks of the database: `sql/queries/plans.sql`."""

from __future__ import annotations

from taskdb.models.plans import ColumnSample, Dataset, RelationSize
from taskdb.queries import query

__all__ = [
    "column_samples",
    "favour_indexes",
    "force_generic_plans",
    "list_datasets",
    "relation_sizes",
    "vacuum",
]


@query
def relation_sizes() -> list[RelationSize]:
    """Return the database's tables and indexes, PostgreSQL's own left out."""
    ...


@query
def column_samples(*, relations: list[int], numbers: list[int]) -> list[ColumnSample]:
    """Return values of the columns, each named by its table's OID and its number."""
    ...


@query
def force_generic_plans() -> str:
    """Have prepared statements planned without their arguments until the transaction ends."""
    ...


@query
def favour_indexes() -> str:
    """Have small data planned somewhat as large ones are, until the transaction ends."""
    ...


@query
def vacuum() -> None:
    """Vacuum and analyze the connection's database; not inside a transaction."""
    ...


@query
def list_datasets(*, prefix: str) -> list[Dataset]:
    """Return this role's databases whose names begin with *prefix* and an underscore."""
    ...
