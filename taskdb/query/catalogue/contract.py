"""Queries of the contract check: `sql/queries/catalogue/contract.sql`."""

from __future__ import annotations

from dataclasses import dataclass

from taskdb.query.catalogue import query

__all__ = [
    "ColumnOfType",
    "ColumnType",
    "NamedType",
    "TypeFacts",
    "columns_of_types",
    "copied_columns",
    "named_types",
    "types",
]


@dataclass(slots=True)
class TypeFacts:
    """A type: `kind` is b (base), e (enum), d (domain), c (composite), ...; 0 is no type.

    `field_names` and `field_oids` are a composite's, `casts_to_json` is true of hstore and the
    like.
    """

    oid: int
    name: str
    kind: str
    element_oid: int
    base_oid: int
    labels: list[str]
    field_names: list[str]
    field_oids: list[int]
    casts_to_json: bool


@dataclass(slots=True)
class ColumnType:
    """A column that COPY may fill."""

    name: str
    type_oid: int
    not_null: bool
    relation: int
    number: int


@dataclass(slots=True)
class NamedType:
    """A type, a column of a relation, or neither, behind name *number*, counted from 1."""

    number: int
    type_oid: int | None
    relation: int | None
    column_number: int | None


@dataclass(slots=True)
class ColumnOfType:
    """A relation's column, by numbers, and its type."""

    relation: int
    column_number: int
    type_oid: int


@query
def types(*, oids: list[int]) -> list[TypeFacts]:
    """Return facts about these types; those that don't exist are left out."""
    ...


@query
def copied_columns(*, relation: str) -> list[ColumnType]:
    """Return the columns that a COPY may fill; none if there is no such relation."""
    ...


@query
def named_types(
    *, type_names: list[str], relations: list[str], columns: list[str]
) -> list[NamedType]:
    """Return the type, or the relation's column, behind each of these names."""
    ...


@query
def columns_of_types(*, oids: list[int]) -> list[ColumnOfType]:
    """Return the columns that are of these types."""
    ...
