"""The two checks of queries together, contract and expectations: each text is described once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import Connection

from taskdb.query import Queries
from taskdb.query.check import contract, expectations
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.contract import Finding, Override

__all__ = ["Report", "check"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found by part, the columns whose author knows better, and the files written."""

    findings: dict[str, list[Finding]]
    overrides: list[Override] = field(default_factory=list[Override])
    column_count: int = 0
    written: list[Path] | None = None

    @property
    def override_share(self) -> float:
        """How many of all columns need their author's word: more than a fiftieth is too many."""
        return len(self.overrides) / self.column_count if self.column_count else 0.0


def check(
    conn: Connection[Any], queries: Queries, parts: Collection[str], *, write: bool = False
) -> Report:
    """Check *queries* against the database of *conn*: `contract`, `expectations`, or both.

    With *write* the expectations are written instead of compared, unless the contract check
    finds something: what it finds is not to become what is expected. Nothing is run.
    """
    catalogue = Catalogue()
    described = contract.describe_all(conn, queries, catalogue)
    findings: dict[str, list[Finding]] = {}
    if "contract" in parts or write:
        findings["contract"] = contract.compare(conn, queries, described)
    derived = expectations.derive(conn, queries, described, catalogue)
    written = None
    if write and not findings["contract"]:
        written = expectations.write(queries, derived)
    elif "expectations" in parts and not write:
        findings["expectations"] = expectations.compare(queries, derived)
    columns = sum(len(each.gives) for area in derived.values() for each in area.queries.values())
    marked = [mark for query in queries for mark in contract.overrides(query)]
    return Report(findings, marked, columns, written)
