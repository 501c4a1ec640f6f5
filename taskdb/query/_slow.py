"""Slow queries, logged by their names."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Final, Protocol

__all__ = ["QUICK", "Stopwatch", "log_slow"]

logger = logging.getLogger("taskdb.query")

# Seconds up to which nothing is slow, so that the connection is not asked.
QUICK: Final = 0.001


class Named(Protocol):
    """A query: its name, and its place in the `.sql` file."""

    name: str
    where: str


class Stopwatch:
    """The seconds spent in its blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begun = 0.0

    def __enter__(self) -> None:
        self._begun = perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += perf_counter() - self._begun


def log_slow(query: Named, conn: object, seconds: float, *, rows: int | None = None) -> None:
    """Log a call that took what its connection calls slow. Its arguments stay unsaid."""
    limit: float | None = getattr(conn, "slow_seconds", None)
    if limit is None or seconds < limit:
        return
    fields = {"query": query.name, "where": query.where, "duration_seconds": round(seconds, 6)}
    if rows is not None:
        fields["rows"] = rows
    logger.warning("%s took %.3f s", query.name, seconds, extra=fields)
