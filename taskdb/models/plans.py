"""What the plan check reads from PostgreSQL's catalogue."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ColumnSample", "Dataset", "RelationSize"]


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


@dataclass(slots=True)
class Dataset:
    """A database with generated data."""

    name: str
    in_use: bool
