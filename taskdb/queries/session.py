"""Settings of the transaction that a load runs in: `sql/queries/session.sql`."""

from typing import Annotated

from taskdb.queries import query
from taskdb.query import Matches

__all__ = ["set_statement_timeout", "statement_timeout"]


@query
def statement_timeout() -> str:
    """Return the statement timeout, as PostgreSQL writes it; "0" is none."""
    ...


@query
def set_statement_timeout(value: Annotated[str, Matches("[0-9]{1,10}(us|ms|s|min|h|d)?")]) -> str:
    """Set the statement timeout of this transaction; return it."""
    ...
