"""Queries of the contract check: `sql/queries/catalogue/contract.sql`."""

from __future__ import annotations

from dataclasses import dataclass

from taskdb.query.catalogue import query

__all__ = [
    "ColumnType",
    "TypeFacts",
    "copied_columns",
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


@query
def types(*, oids: list[int]) -> list[TypeFacts]:
    """Return what is known of these types; those that don't exist are left out."""
    ...


@query
def copied_columns(*, relation: str) -> list[ColumnType]:
    """Return the columns that a COPY may fill; none if there is no such relation."""
    ...
