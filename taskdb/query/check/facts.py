"""Numbers of PostgreSQL's node tags and fields, and the keys by which facts are known."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple, TypeAlias

from taskdb.query.check.nodetree import Node, NodeTreeError

Key: TypeAlias = tuple[Hashable, ...]
Facts: TypeAlias = frozenset[Key]

NOTHING: Facts = frozenset()


class Pin(NamedTuple):
    """A column that is compared with one value: by which operator, with which collation."""

    column: int
    operator: str
    collation: int


Pins: TypeAlias = frozenset[Pin]

NO_PINS: Pins = frozenset()

SELECT, UPDATE, INSERT, DELETE, MERGE = 1, 2, 3, 4, 5

TABLE, SUBQUERY, JOIN, FUNCTION, VALUES, CTE, GROUP = 0, 1, 2, 3, 5, 6, 9

INNER, LEFT, FULL, RIGHT = 0, 1, 2, 3


def item(items: list[Node], number: int) -> Node:
    """Item *number* of *items*, counted from 1; raises `NodeTreeError` when there is none."""
    if not 1 <= number <= len(items):
        raise NodeTreeError(f"there is no column {number}")
    return items[number - 1]
