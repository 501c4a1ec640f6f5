"""Migrations of a database."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RecordedMigration", "SearchedSchema"]


@dataclass(slots=True)
class SearchedSchema:
    """A schema that the search path names, and whether the role is kept out of it."""

    name: str
    is_closed: bool


@dataclass(slots=True)
class RecordedMigration:
    """A migration that a database has, by track, and the oldest package that works with it."""

    track: str
    id: str
    breaking: str | None
