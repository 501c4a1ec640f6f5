"""What the contract check reads from PostgreSQL's catalogue."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ColumnType", "TypeFacts"]


@dataclass(slots=True)
class TypeFacts:
    """A type: `kind` is b (base), e (enum), d (domain), c (composite), ...; 0 is no type."""

    oid: int
    name: str
    kind: str
    element_oid: int
    base_oid: int
    labels: list[str]


@dataclass(slots=True)
class ColumnType:
    """A column that COPY may fill."""

    name: str
    type_oid: int
    not_null: bool
