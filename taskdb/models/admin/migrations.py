"""Database's own records of its migrations."""

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
