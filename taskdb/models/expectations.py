"""What comparing a database with the expectations reads from PostgreSQL's catalogue."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CopiedColumn",
    "ExpectedType",
    "MissingPrivilege",
    "NullableColumn",
    "TypeName",
    "UniqueIndex",
]


@dataclass(slots=True)
class ExpectedType:
    """A type by its name; without `oid` there is none. Only an enum has `labels`."""

    name: str
    oid: int | None
    labels: list[str]


@dataclass(slots=True)
class MissingPrivilege:
    """What the session's role may not do, although a statement does it."""

    relation: str
    privilege: str


@dataclass(slots=True)
class NullableColumn:
    """A column without NOT NULL, by numbers."""

    relation: int
    number: int


@dataclass(slots=True)
class UniqueIndex:
    """What no two rows of a relation have in common: `orders (customer, day) where ...`."""

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
    """What a type is called."""

    oid: int
    name: str
