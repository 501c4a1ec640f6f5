"""Types shared by the checks of queries: a finding, a described variant, a column's mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from taskdb.query._lexer import Kind
from taskdb.query._query import Query
from taskdb.query._statements import Variant
from taskdb.query.check.describe import Description

__all__ = ["AnyQuery", "Described", "Override", "QueryFinding", "overrides", "remedy_of"]

AnyQuery = Query[Any, Any]


@dataclass(frozen=True, slots=True)
class QueryFinding:
    """One disagreement: where it is on either side, what each has, and how to repair it."""

    query: str
    message: str
    sql_where: str
    python_where: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.sql_where}: {self.query}: {self.message} ({self.python_where}). {self.remedy}."
        )


def remedy_of(refused: psycopg.Error, otherwise: str) -> str:
    """Return the server's own hint, without its full stop, or what to do *otherwise*."""
    return (refused.diag.message_hint or otherwise).removesuffix(".")


class Described(NamedTuple):
    """One text of a query, and what the server says of it, or why it refuses it."""

    query: AnyQuery
    variant: Variant
    result: Description | QueryFinding


@dataclass(frozen=True, slots=True)
class Override:
    """A column whose author knows better: `as "name!"` is never NULL, `as "name?"` may be."""

    query: str
    column: str
    nullable: bool
    reason: str
    where: str
    offset: int


def overrides(query: AnyQuery) -> list[Override]:
    """Return the overrides in a query's text; the reason is the comment that ends the line."""
    source = query.statement.source
    found: list[Override] = []
    for token in query.statement.tokens:
        text = source.text[token.start : token.end]
        if token.kind is Kind.QUOTED_IDENTIFIER and text.endswith(('!"', '?"')):
            rest = source.text[token.end : source.line_end(token.end)]
            reason = rest.partition("--")[2].strip()
            found.append(
                Override(
                    query.name,
                    text[1:-1],
                    text.endswith('?"'),
                    reason,
                    source.where(token.start),
                    token.start,
                )
            )
    return found
