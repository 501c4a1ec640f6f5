"""`taskdb.database.workspaces` by its short name: one PostgreSQL schema a team."""

from taskdb.database.workspaces import (
    DEFAULT,
    SHARED,
    Access,
    check_name,
    create,
    drop,
    exists,
    grant,
    names,
)

__all__ = [
    "DEFAULT",
    "SHARED",
    "Access",
    "check_name",
    "create",
    "drop",
    "exists",
    "grant",
    "names",
]
