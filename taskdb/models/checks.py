"""What `taskdb check` reads from PostgreSQL's catalogue."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Function", "Relation", "TypeInfo", "UniqueKey"]


@dataclass(slots=True)
class Function:
    """A function, aggregate or window function; `operators` are built-in ones that call it."""

    oid: int
    name: str
    arguments: list[str]
    built_in: bool
    strict: bool
    returns_set: bool
    volatile: bool
    kind: str
    operators: list[str]


@dataclass(slots=True)
class Relation:
    """A table, view or the like; columns go by number, counted from 1.

    `rewrites_rows` says that what is stored may differ from what a statement writes.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: list[str]
    never_null: list[int]
    never_null_alone: list[int]
    generated: list[int]
    has_children: bool
    rewrites_rows: bool


@dataclass(slots=True)
class UniqueKey:
    """The columns of which no two rows of the relation have the same values.

    `equalities` has the operators that compare each column as the key does, joined by commas.
    """

    relation: int
    columns: list[int]
    equalities: list[str]


@dataclass(slots=True)
class TypeInfo:
    """A type: does built-in code convert it from and to text, does a cast to it refuse NULL.

    `base_name` is the type that a domain stands on, else its own.
    """

    oid: int
    built_in_text: bool
    cast_refuses_null: bool
    base_name: str
