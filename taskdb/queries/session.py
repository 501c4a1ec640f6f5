"""Settings of the transaction that a load runs in: `sql/queries/session.sql`."""

from taskdb.queries import query

__all__ = ["set_statement_timeout", "statement_timeout"]


@query
def statement_timeout() -> str:
    """Return how long a statement may take, as PostgreSQL writes it; "0" is for ever."""
    ...


@query
def set_statement_timeout(value: str) -> str:
    """Set how long a statement may take until this transaction ends; return it."""
    ...
