"""Queries of `taskdb check` on PostgreSQL's catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from taskdb.query.catalogue import query

__all__ = [
    "Function",
    "Relation",
    "TypeInfo",
    "UniqueKey",
    "functions",
    "plan_generically",
    "print_rewritten_trees",
    "relations",
    "types",
    "unique_keys",
]


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
    """A table, view or the like; columns go by number, counted from 1, a dropped one has type 0.

    `rewrites_rows` says that what is stored may differ from what a statement writes,
    `keeps_rows_out` that a trigger may leave out a row that is inserted.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: list[str]
    column_types: list[int]
    never_null: list[int]
    never_null_alone: list[int]
    generated: list[int]
    has_children: bool
    rewrites_rows: bool
    keeps_rows_out: bool


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


@query
def print_rewritten_trees() -> str:
    """Have PostgreSQL send back every statement's analysed tree until the transaction ends.

    Returns the settings that do it.
    """
    ...


@query
def plan_generically() -> str:
    """Have statements planned without their arguments, and none write, until the transaction ends.

    Returns the settings that do it.
    """
    ...


@query
def functions(*, oids: list[int]) -> list[Function]:
    """Return facts about the functions *oids*, those that exist."""
    ...


@query
def relations(*, oids: list[int]) -> list[Relation]:
    """Return facts about the relations *oids*, those that exist."""
    ...


@query
def unique_keys(*, oids: list[int]) -> list[UniqueKey]:
    """Return the keys of the relations *oids* that hold at any moment and for all rows."""
    ...


@query
def types(*, oids: list[int]) -> list[TypeInfo]:
    """Return facts about the types *oids*, those that exist."""
    ...
