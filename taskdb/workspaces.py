"""`taskdb.database.workspaces` by its short name: one PostgreSQL schema a team."""

from taskdb.database.workspaces import (
    DEFAULT,
    SHARED,
    check_name,
    create,
    drop,
    exists,
    names,
)

__all__ = [
    "DEFAULT",
    "SHARED",
    "check_name",
    "create",
    "drop",
    "exists",
    "names",
]
