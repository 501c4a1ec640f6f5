"""Measurements beside what one would otherwise use: `make bench`, docs/benchmarks.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from taskdb.database import Connection, connect
from taskdb.query import Queries, Query

__all__ = ["Table", "connected", "named", "plain", "query"]

WORKSPACE = "bench"

query = Queries(Path(__file__).parent / "sql", name="bench")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the report, printed as Markdown."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def __str__(self) -> str:
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return "\n".join([f"### {self.title}", "", *(f"| {' | '.join(line)} |" for line in lines)])


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect as a worker of taskdb does that commits each statement by itself."""
    with connect(url, workspace=WORKSPACE, autocommit=True) as conn:
        yield conn


def plain(function: Query[..., Any]) -> str:
    """Return what *function* sends with its conditional lines left out, less the comment."""
    return function.sql().replace(f" {function.tag}", "")


def named(function: Query[..., Any], **instead: str) -> str:
    """Return the same for a program that takes `:name`; *instead* is put for some of the names."""
    names = function.statement.variant((), function.tag).parameters
    shown = [instead.get(name, f":{name}") for name in names]
    return re.sub(r"\$(\d+)", lambda found: shown[int(found[1]) - 1], plain(function))


def version_of(conn: psycopg.Connection[Any]) -> str:
    """Return the server's version, such as 18.6."""
    return str(conn.info.parameter_status("server_version"))
