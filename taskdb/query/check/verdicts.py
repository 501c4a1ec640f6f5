"""Verdicts on whether a value may be NULL, and the judge's interface for one expression."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.nodetree import Node
from taskdb.query.check.scopes import NOTHING, Context, Facts, Scope

__all__ = ["MOST_CASES", "TOO_DEEP", "Judge", "Verdict", "may", "never"]

# Sets of known facts that a place is judged for at most; in a query that is written by
# hand there are one or two.
MOST_CASES = 16
TOO_DEEP = "the query is nested too deeply to be judged"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict on whether a value may be NULL, and the reason."""

    nullable: bool
    reason: str


def may(reason: str) -> Verdict:
    """The verdict of a value that may be NULL because of *reason*."""
    return Verdict(True, reason)


def never(reason: str) -> Verdict:
    """The verdict of a value that is never NULL because of *reason*."""
    return Verdict(False, reason)


class Judge(ABC):
    """Judges expressions and columns; `Nullability` is one."""

    catalogue: Catalogue

    @abstractmethod
    def judge(self, place: Context, node: Node) -> Verdict:
        """The verdict on the expression *node* standing at *place*."""

    @abstractmethod
    def column(self, scope: Scope, number: int, extra: Facts = NOTHING) -> Verdict:
        """The verdict on column *number* of *scope*, where *extra* is known of the rows around."""

    @abstractmethod
    def gives_a_row(self, scope: Scope) -> bool:
        """Return whether the query of *scope* is sure to give at least one row."""

    def _all(self, place: Context, nodes: list[Node], reason: str) -> Verdict:
        """Never NULL for *reason* if none of *nodes* is; else what the first NULL one says."""
        for node in nodes:
            if (verdict := self.judge(place, node)).nullable:
                return verdict
        return never(reason)

    def _any(self, place: Context, nodes: list[Node], reason: str) -> Verdict:
        """Never NULL if one of *nodes* isn't."""
        for node in nodes:
            if not (verdict := self.judge(place, node)).nullable:
                return verdict
        return may(reason)
