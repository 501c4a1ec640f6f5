"""Queries about expectations: `sql/queries/catalogue/expectations.sql`."""

from __future__ import annotations

from dataclasses import dataclass

from taskdb.query.catalogue import query

__all__ = [
    "CopiedColumn",
    "ExpectedType",
    "MissingPrivilege",
    "NullableColumn",
    "TypeName",
    "UniqueIndex",
    "copied_columns",
    "expected_types",
    "missing_privileges",
    "nullable_columns",
    "search_path",
    "type_names",
    "unique_indexes",
]


@dataclass(slots=True)
class ExpectedType:
    """A type by its name; without `oid` there is none.

    Only an enum has `labels`, only a composite has `fields`, each its name and type.
    """

    name: str
    oid: int | None
    labels: list[str]
    fields: list[str]


@dataclass(slots=True)
class MissingPrivilege:
    """Privilege that a statement needs and the session's role lacks."""

    relation: str
    privilege: str


@dataclass(slots=True)
class NullableColumn:
    """A column without NOT NULL, by numbers."""

    relation: int
    number: int


@dataclass(slots=True)
class UniqueIndex:
    """Values that no two rows of a relation share: `orders (customer, day) where ...`."""

    relation: str
    index_name: str
    definition: str


@dataclass(slots=True)
class CopiedColumn:
    """A column that COPY may fill."""

    name: str
    type_oid: int


@dataclass(slots=True)
class TypeName:
    """Name of a type."""

    oid: int
    name: str


@query
def search_path() -> list[str]:
    """Return the schemas whose tables need no schema before their name."""
    ...


@query
def expected_types(*, names: list[str]) -> list[ExpectedType]:
    """Return the types of these names, as the search path finds them."""
    ...


@query
def missing_privileges(*, relations: list[str], privileges: list[str]) -> list[MissingPrivilege]:
    """Return the privileges, of these, that the session's role lacks, pair by pair."""
    ...


@query
def nullable_columns(*, relations: list[str]) -> list[NullableColumn]:
    """Return the columns of these relations that may hold NULL."""
    ...


@query
def unique_indexes(*, relations: list[str]) -> list[UniqueIndex]:
    """Return the conflict targets of these relations."""
    ...


@query
def copied_columns(*, relation: str) -> list[CopiedColumn]:
    """Return the columns that a COPY may fill; none if there is no such relation."""
    ...


@query
def type_names(*, oids: list[int]) -> list[TypeName]:
    """Return the names of these types."""
    ...
