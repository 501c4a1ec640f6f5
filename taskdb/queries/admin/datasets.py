"""Databases with generated data: `sql/queries/admin/datasets.sql`, for `taskdb.admin.dataset`."""

from __future__ import annotations

from taskdb.models.admin.datasets import Dataset
from taskdb.queries.admin import query

__all__ = ["list_datasets", "vacuum"]


@query
def vacuum() -> None:
    """Vacuum and analyze the connection's database; not inside a transaction."""
    ...


@query
def list_datasets(*, prefix: str) -> list[Dataset]:
    """Return this role's databases whose names begin with *prefix* and an underscore."""
    ...
