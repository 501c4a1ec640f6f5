"""Queries of the plan check: `sql/queries/catalogue/plans.sql`."""

from __future__ import annotations

from dataclasses import dataclass

from taskdb.query.catalogue import query

__all__ = [
    "ColumnSample",
    "RelationSize",
    "column_samples",
    "favour_indexes",
    "force_generic_plans",
    "relation_sizes",
]


@dataclass(slots=True)
class RelationSize:
    """A table, or an index of *table_name*, and about how many rows it has."""

    name: str
    row_count: int
    table_name: str | None


@dataclass(slots=True)
class ColumnSample:
    """Two values of a column, as text; `rare` is None where all are as frequent."""

    relation: int
    number: int
    type_oid: int
    frequent: str
    rare: str | None


@query
def relation_sizes() -> list[RelationSize]:
    """Return the rows of each table and index, PostgreSQL's own left out."""
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
