"""What a database says of the migrations it has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class AppliedMigration:
    """A migration that a schema has, and what its file was when it was applied."""

    id: str
    applied_at: datetime
    checksum: str
    breaking: str | None
    package: str
    shared_revision: str | None


@dataclass(slots=True)
class MigrationLogEntry:
    """One thing that was done to a schema: ``apply``, ``rollback``, ``mark`` or ``unmark``."""

    id: str
    operation: str
    at: datetime
    username: str
    hostname: str


@dataclass(slots=True)
class SearchedSchema:
    """A schema that the search path names, and whether the role is kept out of it."""

    name: str
    is_closed: bool


@dataclass(slots=True)
class RecordedMigration:
    """A migration that a database has, by train, and the oldest package that works with it."""

    train: str
    id: str
    breaking: str | None
