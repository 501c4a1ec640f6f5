"""A whole workspace as a file: `sql/queries/archive.sql`.

`taskdb.exchange.archive` writes and reads such files.
"""

from typing import Any

from taskdb.models.archive import ExportedSequence, ExportedTable
from taskdb.queries import query
from taskdb.queries.fields import Name


@query
def list_tables() -> list[ExportedTable]:
    """Return the tables of an export, each after those it refers to."""
    ...


@query
def list_rows(*, table_name: Name) -> list[str]:
    """Return the rows of a table as JSON, in the order of its primary key."""
    ...


@query
def list_sequences() -> list[ExportedSequence]:
    """Return the positions of the workspace's sequences."""
    ...


@query
def begin_restore() -> int:
    """Turn the triggers of an empty workspace off; return the number of tables.

    Raises `ValidationError` if it is not empty. Only the owner of its tables may.
    """
    ...


@query
def restore_rows(*, table_name: Name, rows: list[Any]) -> int:
    """Insert rows of a table; return the number of rows."""
    ...


@query
def restore_sequence(*, name: Name, last_value: int, is_called: bool) -> int:
    """Set a sequence to its position in the file."""
    ...


@query
def finish_restore() -> int:
    """Turn the triggers on, revoke live claims, raise tokens; return the count revoked."""
    ...
