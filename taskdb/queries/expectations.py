"""What is asked of the catalogue about expectations: `sql/queries/expectations.sql`."""

from __future__ import annotations

from taskdb.models.expectations import (
    CopiedColumn,
    ExpectedType,
    MissingPrivilege,
    NullableColumn,
    TypeName,
    UniqueIndex,
)
from taskdb.queries import query

__all__ = [
    "copied_columns",
    "expected_types",
    "missing_privileges",
    "nullable_columns",
    "search_path",
    "type_names",
    "unique_indexes",
]


@query
def search_path() -> list[str]:
    """Return the schemas whose tables need no schema before their name."""
    ...


@query
def expected_types(*, names: list[str]) -> list[ExpectedType]:
    """Return what the search path finds under these names of types."""
    ...


@query
def missing_privileges(*, relations: list[str], privileges: list[str]) -> list[MissingPrivilege]:
    """Return which of these privileges the session's role lacks, pair by pair."""
    ...


@query
def nullable_columns(*, relations: list[str]) -> list[NullableColumn]:
    """Return the columns of these relations that may hold NULL."""
    ...


@query
def unique_indexes(*, relations: list[str]) -> list[UniqueIndex]:
    """Return by what rows of these relations can conflict."""
    ...


@query
def copied_columns(*, relation: str) -> list[CopiedColumn]:
    """Return the columns that a COPY may fill; none if there is no such relation."""
    ...


@query
def type_names(*, oids: list[int]) -> list[TypeName]:
    """Return what these types are called."""
    ...
