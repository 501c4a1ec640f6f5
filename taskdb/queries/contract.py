"""What the contract check asks of the catalogue: `sql/queries/contract.sql`."""

from taskdb.models.contract import ColumnType, TypeFacts
from taskdb.queries import query

__all__ = ["copied_columns", "types"]


@query
def types(*, oids: list[int]) -> list[TypeFacts]:
    """Return what is known of these types; those that don't exist are left out."""
    ...


@query
def copied_columns(*, relation: str) -> list[ColumnType]:
    """Return the columns that a COPY may fill; none if there is no such relation."""
    ...
