"""What `taskdb check` asks of PostgreSQL's catalogue."""

from __future__ import annotations

from taskdb.models.checks import Function, Relation, TypeInfo, UniqueKey
from taskdb.queries import query

__all__ = [
    "functions",
    "plan_generically",
    "print_rewritten_trees",
    "relations",
    "types",
    "unique_keys",
]


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
    """Return what is known of the functions *oids*, those that exist."""
    ...


@query
def relations(*, oids: list[int]) -> list[Relation]:
    """Return what is known of the relations *oids*, those that exist."""
    ...


@query
def unique_keys(*, oids: list[int]) -> list[UniqueKey]:
    """Return the keys of the relations *oids* that hold at any moment and for all rows."""
    ...


@query
def types(*, oids: list[int]) -> list[TypeInfo]:
    """Return what is known of the types *oids*, those that exist."""
    ...
