"""Reading what EXPLAIN says of one plan: indexes used, tables read, and what grows with them.

Rows are the planner's estimates. `LARGE` bounds all of them: a table of more rows is large, and
no step may sort, hash or set aside more rows, or run through more of a table or an index from
one end to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["LARGE", "NOTED", "PAGE", "Reading", "read"]

LARGE: Final = 10_000

NOTED: Final = LARGE // 4
"""Rows from which a step is noted: an estimate near the bound is on either side by chance."""

PAGE: Final = 100
"""Rows that a LIMIT lets through at most: the planner takes one it doesn't know for a tenth."""

# Nodes that give their first row only when they have taken their last one.
_BLOCKING: Final = frozenset({"Sort", "Hash", "Aggregate", "SetOp", "WindowAgg", "ModifyTable"})


@dataclass(slots=True)
class Reading:
    """Costs found in one plan.

    `whole` are the tables and indexes read from one end to the other, `piled` the steps that hold
    many rows at once; each with about how many rows, the most if there are several, and only
    those of more than NOTED.
    """

    indexes: set[str] = field(default_factory=set[str])
    tables: set[str] = field(default_factory=set[str])
    whole: dict[str, int] = field(default_factory=dict[str, int])
    piled: dict[str, int] = field(default_factory=dict[str, int])


def read(plan: Mapping[str, Any], sizes: Mapping[str, int]) -> Reading:
    """Read a plan in EXPLAIN's JSON; *sizes* are the rows of tables and indexes by name."""
    reading = Reading()
    _visit(plan, 1.0, sizes, reading)
    return reading


def _visit(
    node: Mapping[str, Any], share: float, sizes: Mapping[str, int], reading: Reading
) -> None:
    """Note what *node* and those below it do, *share* of their rows being asked for."""
    kind: str = node["Node Type"]
    below: list[Mapping[str, Any]] = node.get("Plans", [])
    _note_index(node, share, sizes, reading)
    if "Relation Name" in node and kind != "ModifyTable":
        reading.tables.add(node["Relation Name"])
    if kind == "Seq Scan":
        table: str = node["Relation Name"]
        _note(reading.whole, f"table {table}", sizes.get(table, 0))
    if kind in ("Sort", "Hash"):
        _note(reading.piled, "sorts" if kind == "Sort" else "hashes", below[0]["Plan Rows"])
    if kind == "Aggregate" and node.get("Strategy") in ("Hashed", "Mixed"):
        _note(reading.piled, "groups", node["Plan Rows"])
    if kind == "Materialize":
        _note(reading.piled, "sets aside", node["Plan Rows"] * share)
    if kind in _BLOCKING:
        share = 1.0
    if kind == "Limit":
        share = min(share, min(node["Plan Rows"], PAGE) / max(below[0]["Plan Rows"], 1))
    for each in below:
        apart = each.get("Parent Relationship") in ("InitPlan", "SubPlan")
        _visit(each, 1.0 if apart else share, sizes, reading)


def _note_index(
    node: Mapping[str, Any], share: float, sizes: Mapping[str, int], reading: Reading
) -> None:
    arbiters: list[str] = node.get("Conflict Arbiter Indexes", [])
    reading.indexes.update(arbiters)
    index: str | None = node.get("Index Name")
    if index is not None:
        reading.indexes.add(index)
        if "Index Cond" not in node and "Order By" not in node:
            _note(reading.whole, f"index {index}", sizes.get(index, 0) * share)


def _note(where: dict[str, int], what: str, rows: float) -> None:
    if rows > NOTED:
        where[what] = max(where.get(what, 0), round(rows))
