"""Settings of the transaction that a load runs in: `sql/queries/session.sql`."""

from taskdb.queries import query

__all__ = ["set_statement_timeout", "statement_timeout"]


@query
def statement_timeout() -> str:
    """Return the statement timeout, as PostgreSQL writes it; "0" is none."""
    ...


@query
def set_statement_timeout(value: str) -> str:
    """Set the statement timeout of this transaction; return it."""
    ...
