"""The two checks of queries together, contract and expectations: each text is described once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from taskdb.query import Queries
from taskdb.query.check import contract, expectations
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.findings import Override, QueryFinding, overrides

__all__ = ["QueryReport", "check", "check_all", "combined"]


_NAMED: Final = re.compile(rb"^[ \t]*--[ \t]*name[ \t]*:", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class QueryReport:
    """Findings by part, columns with their author's word, and the files written.

    The counts say how much was looked at.
    """

    findings: dict[str, list[QueryFinding]]
    overrides: list[Override] = field(default_factory=list[Override])
    query_count: int = 0
    variant_count: int = 0
    column_count: int = 0
    written: list[Path] | None = None

    @property
    def override_share(self) -> float:
        """Share of columns that need their author's word: more than a fiftieth is too many."""
        return len(self.overrides) / self.column_count if self.column_count else 0.0


def check(
    conn: Connection[Any], queries: Queries, parts: Collection[str], *, write: bool = False
) -> QueryReport:
    """Check *queries* against the database of *conn*: `contract`, `expectations`, or both.

    With *write* the expectations are written instead of compared, unless the contract check
    finds something: what it finds is not to become what is expected. Nothing is run. A statement
    without a function, which can't be checked, is found in any case, and so is a lack of queries.
    """
    unseen = list(_unseen(queries))
    if queries.configure is not None:
        queries.configure(conn)
    catalogue = Catalogue()
    described = contract.describe_all(conn, queries, catalogue)
    findings: dict[str, list[QueryFinding]] = {}
    if "contract" in parts or write:
        findings["contract"] = unseen + contract.compare(conn, queries, described)
    derived = expectations.derive(conn, queries, described, catalogue)
    written = None
    if write and not findings["contract"]:
        written = expectations.write(queries, derived)
    elif "expectations" in parts and not write:
        found = expectations.compare(queries, derived)
        findings["expectations"] = found if "contract" in findings else unseen + found
    columns = sum(len(each.gives) for area in derived.values() for each in area.queries.values())
    marked = [mark for query in queries for mark in overrides(query)]
    return QueryReport(findings, marked, len(list(queries)), len(described), columns, written)


def _unseen(queries: Queries) -> Iterator[QueryFinding]:
    """Yield a finding for each file that could not be checked for want of a function."""
    for area, statement in queries.without_function():
        yield QueryFinding(
            f"{area}.{statement.name}",
            "has no function, so it was not checked",
            statement.where,
            "no module that was imported",
            f"Write its stub in the module {area}; --package names the package with that module"
            if area.isidentifier()
            else f"Write its stub below @query(file={area!r}), in a module of the package",
        )
    if not list(queries):
        yield QueryFinding(
            queries.name,
            "no query has a function, so nothing was checked",
            queries.label,
            "no module that was imported",
            "Name the package whose modules have the stubs",
        )


def check_all(
    conn: Connection[Any], every: Sequence[Queries], parts: Collection[str], *, write: bool = False
) -> QueryReport:
    """Check all `Queries` of a project, as `check` does one, and find files that none reads."""
    report = combined([check(conn, each, parts, write=write) for each in every])
    next(iter(report.findings.values())).extend(_unread(every))
    return report


def _unread(every: Sequence[Queries]) -> Iterator[QueryFinding]:
    """Yield a finding for each file of queries that lies below a folder and is read by nobody."""
    folders = {each.folder: each for each in every if isinstance(each.folder, Path)}
    for folder, queries in folders.items():
        for path in sorted(folder.glob("*/**/*.sql")):
            inner = [each for each in path.parents if folder in each.parents]
            if folders.keys().isdisjoint(inner) and _NAMED.search(path.read_bytes()):
                yield QueryFinding(
                    queries.name,
                    "lies in a folder of its own, so it was not checked",
                    f"{queries.label}/{path.relative_to(folder).as_posix()}:1:1",
                    "no Queries",
                    "Move it up, or make Queries of its folder",
                )


def combined(reports: Sequence[QueryReport]) -> QueryReport:
    """Return the reports of several `Queries` as one."""
    written = [each.written for each in reports if each.written is not None]
    return QueryReport(
        {
            part: [finding for each in reports for finding in each.findings.get(part, [])]
            for part in dict.fromkeys(part for each in reports for part in each.findings)
        },
        [override for each in reports for override in each.overrides],
        sum(each.query_count for each in reports),
        sum(each.variant_count for each in reports),
        sum(each.column_count for each in reports),
        [path for paths in written for path in paths] if written else None,
    )
