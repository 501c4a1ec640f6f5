"""The migration runner's statements. Services want `taskdb.migrations`."""

from __future__ import annotations

from taskdb.models.admin.migrations import AppliedMigration, MigrationLogEntry
from taskdb.queries.admin import query


@query
def set_path(*, schemas: list[str]) -> str:
    """Set the session's search path, and return it."""
    ...


@query
def try_lock(*, key: int) -> bool:
    """Take the runner's lock if it is free; return whether it was."""
    ...


@query
def unlock(*, key: int) -> bool:
    """Release the runner's lock; return False if it was not held."""
    ...


@query
def lock_holder(*, key: int) -> int | None:
    """Return the server process that holds the runner's lock, or None."""
    ...


@query
def tables_of(*, schema: str) -> list[str]:
    """Return the names of a schema's tables."""
    ...


@query
def list_applied() -> list[AppliedMigration]:
    """Return the migrations applied to the schema, in their order."""
    ...


@query
def list_disagreements() -> list[str]:
    """Return the migrations that are only in yoyo's table or only in ours."""
    ...


@query
def list_log() -> list[MigrationLogEntry]:
    """Return the log of the schema, oldest first."""
    ...


@query
def record(
    *,
    id: str,
    track: str,
    checksum: str,
    breaking: str | None,
    package: str,
    shared_revision: str | None,
) -> None:
    """Note a migration as applied, beside yoyo's own mark."""
    ...


@query
def forget(*, id: str) -> None:
    """Note a migration as not applied."""
    ...
