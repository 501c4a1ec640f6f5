"""Rows of the catalogue for the pages of `make docs`: `sql/queries/admin/pages.sql`."""

from taskdb.models.admin.pages import ForeignKey, TableColumn, Transition, Trigger, TypeMeaning
from taskdb.queries.admin import query

__all__ = ["columns", "foreign_keys", "transitions", "triggers", "types"]


@query
def columns(*, schemas: list[str]) -> list[TableColumn]:
    """Return the columns of the tables of *schemas*, then of the views, each in its order."""
    ...


@query
def foreign_keys(*, schemas: list[str]) -> list[ForeignKey]:
    """Return the foreign keys of the tables of *schemas*."""
    ...


@query
def types(*, schemas: list[str]) -> list[TypeMeaning]:
    """Return the enumerated types and domains of *schemas*, in the order of their names."""
    ...


@query
def transitions() -> list[Transition]:
    """Return the allowed changes of status, by their table."""
    ...


@query
def triggers(*, schemas: list[str]) -> list[Trigger]:
    """Return the triggers of the tables of *schemas*, each table's in their firing order."""
    ...
